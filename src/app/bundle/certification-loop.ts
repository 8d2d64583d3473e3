// Certifies levels that a planner proposes freely. Each proposal is corrected and measured; while the measured accuracy is
// below the floor, the planner proposes again with a higher floor.
import { type Bundle, openBundle } from '../../bundle/index.ts';
import { findVariant } from '../../bundle/internal.ts';
import {
  buildProblem,
  type Fleet,
  type PlanningProblem,
  type PlanRequest,
  viewPlan,
} from '../../plan/index.ts';
import type { Solution } from '../../plan/internal.ts';
import { must } from '../../util/index.ts';
import type { EngineOptions } from '../options.ts';
import type { Journal } from '../reporter.ts';
import { type DrawOptions, type LocalDraws, localDraws, remarkOtherDraws } from '../samples/local-draws.ts';
import { certifyDrawn } from './certify.ts';
import { classifierOf, withOwnTask } from './open-bundle.ts';

/** Proposals that are measured at most. */
const MOST = 6;

/** How much more than a broken promise the next floor is: the resolution of the accuracy model. */
const RAISE = 1e-4;

/** One proposal. Accuracies by the bundle's measure. */
export interface Proposal {
  readonly levels: readonly number[];
  /** Index among the bundle's variants. */
  readonly variant: number;
  readonly predicted: number;
  readonly accuracy: number;
  readonly lowerBound: number;
}

/** Where proposals come from, and what they are measured on. */
export interface ProposalOptions extends EngineOptions {
  readonly fleet: Fleet;
  readonly request: PlanRequest;
  readonly solve: (problem: PlanningProblem) => Promise<Solution>;
  readonly data: DrawOptions;
  readonly seed: number;
}

/**
 * Measures the levels that planning with free levels proposes, and adds them to the bundle on disk. A plan with certified
 * levels of the returned bundle is then at least as good as the best proposal that kept the floor.
 * @throws BedsideError as `localDraws` and `certify`
 */
export async function certifyProposals(
  start: Bundle,
  { fleet, request, solve, data, seed, threads, batch }: ProposalOptions,
  journal: Journal,
): Promise<{ readonly bundle: Bundle; readonly proposals: readonly Proposal[] }> {
  const proposals: Proposal[] = [];
  let bundle = start;
  let draws: LocalDraws | undefined;
  let promise = request.accuracyFloor;
  while (proposals.length < MOST) {
    const asked: PlanRequest = { ...request, levels: 'free', accuracyFloor: promise };
    const problem = buildProblem(bundle.manifest, fleet, asked);
    const { decisions } = await solve(problem);
    if (!decisions) break;
    const { levels, accuracy: predicted } = viewPlan(problem, decisions);
    if (findVariant(bundle.manifest, levels) === undefined) {
      if (!draws) {
        draws = await localDraws(classifierOf(bundle), data, seed, journal);
        remarkOtherDraws(start, draws, { data: data.data, seed }, journal);
      }
      await certifyDrawn(bundle, levels, draws, { batch, threads, seed }, journal);
      bundle = withOwnTask(await openBundle(bundle.dir));
    }
    const variant = must(findVariant(bundle.manifest, levels), 'the variant just measured');
    const { accuracy, lowerBound } = must(bundle.manifest.variants[variant], 'a variant');
    proposals.push({ levels, variant, predicted, accuracy, lowerBound });
    const floor = request.accuracyFloor ?? bundle.manifest.accuracy.unpruned - request.accuracyDrop;
    if (accuracy >= floor) break;
    promise = Math.min(1, predicted + RAISE);
  }
  return { bundle, proposals };
}
