// Runs an episode from its first request to its last, with one planning strategy.
import { setImmediate } from 'node:timers/promises';
import type { BundleManifest } from '../bundle/index.ts';
import type { RequestOutcome } from './decision-request.ts';
import type { EnvironmentView } from './environment-view.ts';
import { WardEpisode } from './episode.ts';
import type { WardSpec } from './layout.ts';
import type { PlanningStrategy } from './planning-strategy.ts';
import { ProblemFactory, type WardRequestOptions } from './problem-factory.ts';
import { type Arrivals, PoissonArrivals } from './requests.ts';
import { VectorEnvironment } from './vector-environment.ts';

/** Everything that happens in an episode apart from planning. */
export interface Scenario {
  readonly problems: ProblemFactory;
  readonly deadlineSpread: number;
  /** The environment and its requests, from the start; the same each time. */
  begin(): { readonly environment: EnvironmentView; readonly arrivals: Arrivals };
}

/**
 * A ward that moves by its parameters.
 * @throws BedsideError as `buildProblem`
 */
export function wardScenario(
  spec: WardSpec,
  bundles: readonly BundleManifest[],
  request: WardRequestOptions = {},
): Scenario {
  const { fleet, parameters, seed } = spec;
  const problems = new ProblemFactory(bundles, fleet, parameters.requests.kinds, request);
  return {
    problems,
    deadlineSpread: parameters.requests.deadlineSpread,
    begin: () => ({
      environment: new VectorEnvironment([spec]).view(0),
      arrivals: new PoissonArrivals(parameters.requests, problems.deadline, bundles.length, seed),
    }),
  };
}

/** Settings of an episode beside its scenario. */
export interface ScenarioOptions {
  /** All that come if absent, for scenarios that end. */
  readonly requests?: number | undefined;
  /** Ends the episode early: what has ended so far is returned. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** Requests after which the process may look at its events, an interrupt among them. */
const EVENTS_EVERY = 16;

/** Runs the scenario's requests under a planner: what became of each, in the order in which they ended. */
export async function runScenario(
  scenario: Scenario,
  strategy: PlanningStrategy,
  options: ScenarioOptions = {},
): Promise<RequestOutcome[]> {
  const outcomes: RequestOutcome[] = [];
  const { problems, deadlineSpread } = scenario;
  const episode = new WardEpisode({
    ...scenario.begin(),
    problems,
    deadlineSpread,
    requests: options.requests,
    onEnd: (outcome) => outcomes.push(outcome),
  });
  for (let question = episode.next(); question; question = episode.next()) {
    episode.answer(question, await strategy.decide(question));
    options.onProgress?.(episode.arrived);
    if (question.request % EVENTS_EVERY === 0) await setImmediate();
    if (options.signal?.aborted) break;
  }
  return outcomes;
}
