// Many wards for training: they step together, and each stops at its next decision request.
import type { BundleManifest } from '../bundle/index.ts';
import { must } from '../util/index.ts';
import type { DecisionRequest, DecisionResponse, RequestOutcome, WardBatch } from './decision-request.ts';
import { WardEpisode } from './episode.ts';
import type { WardSpec } from './layout.ts';
import { ProblemFactory, type WardRequestOptions } from './problem-factory.ts';
import { PoissonArrivals } from './requests.ts';
import { VectorEnvironment } from './vector-environment.ts';

/** One ward and the bundles that its requests are for. */
export interface BatchWard extends WardSpec {
  readonly bundles: readonly BundleManifest[];
  readonly request?: WardRequestOptions | undefined;
}

/**
 * Endless wards, each with its own fleet, bundles and seed, for a loop that trains planners on many requests at once:
 * it answers the open request of every ward, then lets all wards go on to their next. `runScenario` is for a single
 * ward.
 * @throws BedsideError as `buildProblem`
 */
export function wardBatch(wards: readonly BatchWard[]): WardBatch {
  const environments = new VectorEnvironment(wards);
  let ended: RequestOutcome[] = [];
  const episodes = wards.map(({ fleet, bundles, parameters, seed, request }, ward) => {
    const { kinds, deadlineSpread } = parameters.requests;
    const problems = new ProblemFactory(bundles, fleet, kinds, request);
    return new WardEpisode({
      ward,
      environment: environments.view(ward),
      arrivals: new PoissonArrivals(parameters.requests, problems.deadline, bundles.length, seed),
      problems,
      deadlineSpread,
      onEnd: (outcome) => ended.push(outcome),
    });
  });
  const moving = new Uint8Array(wards.length);
  const advance = (): boolean => {
    let any = false;
    episodes.forEach((episode, w) => {
      moving[w] = episode.advance() === 'environment' ? 1 : 0;
      any ||= moving[w] === 1;
    });
    return any;
  };
  return {
    count: wards.length,
    next(): readonly DecisionRequest[] {
      while (advance()) {
        environments.step(moving);
        episodes.forEach((episode, w) => {
          if (moving[w] === 1) episode.moved();
        });
      }
      return episodes.map((episode, w) => must(episode.question, `question of ward ${w}`));
    },
    answer(question: DecisionRequest, answer: DecisionResponse): void {
      must(episodes[question.ward], `ward ${question.ward}`).answer(question, answer);
    },
    outcomes(): readonly RequestOutcome[] {
      const now = ended;
      ended = [];
      return now;
    },
  };
}
