// Many wards for training: they step together, and each stops where a planner is asked.
import type { BundleManifest } from '../bundle/index.ts';
import { must } from '../util/index.ts';
import type { WardAnswer, WardBatch, WardOutcome, WardQuestion } from './decision-request.ts';
import { Episode } from './episode.ts';
import type { WardSpec } from './layout.ts';
import { Programs, type WardRequestOptions } from './problem-factory.ts';
import { PoissonArrivals } from './requests.ts';
import { Worlds } from './vector-environment.ts';

/** One ward and the bundles that its requests are for. */
export interface BatchWard extends WardSpec {
  readonly bundles: readonly BundleManifest[];
  readonly request?: WardRequestOptions | undefined;
}

/**
 * Wards without end, each with its own fleet, bundles and seed.
 * @throws BedsideError as `buildProblem`
 */
export function wardBatch(wards: readonly BatchWard[]): WardBatch {
  const worlds = new Worlds(wards);
  let ended: WardOutcome[] = [];
  const episodes = wards.map(({ fleet, bundles, parameters, seed, request }, ward) => {
    const { kinds, deadlineSpread } = parameters.requests;
    const programs = new Programs(bundles, fleet, kinds, request);
    return new Episode({
      ward,
      world: worlds.view(ward),
      arrivals: new PoissonArrivals(parameters.requests, programs.deadline, bundles.length, seed),
      programs,
      deadlineSpread,
      onEnd: (outcome) => ended.push(outcome),
    });
  });
  const moving = new Uint8Array(wards.length);
  const advance = (): boolean => {
    let any = false;
    episodes.forEach((episode, w) => {
      moving[w] = episode.advance() === 'world' ? 1 : 0;
      any ||= moving[w] === 1;
    });
    return any;
  };
  return {
    count: wards.length,
    next(): readonly WardQuestion[] {
      while (advance()) {
        worlds.step(moving);
        episodes.forEach((episode, w) => {
          if (moving[w] === 1) episode.moved();
        });
      }
      return episodes.map((episode, w) => must(episode.question, `question of ward ${w}`));
    },
    answer(question: WardQuestion, answer: WardAnswer): void {
      must(episodes[question.ward], `ward ${question.ward}`).answer(question, answer);
    },
    outcomes(): readonly WardOutcome[] {
      const now = ended;
      ended = [];
      return now;
    },
  };
}
