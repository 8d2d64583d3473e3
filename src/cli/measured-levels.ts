// Free levels before they may run: what a planner proposes by the accuracy model is corrected and measured, and proposed
// anew with a higher promise as long as the measurement falls short of the floor.
import { type Bundle, findVariant, openBundle } from '../bundle/index.ts';
import { describeClassifier } from '../evaluate/index.ts';
import {
  buildProblem,
  type Fleet,
  type PlanningProblem,
  type PlanRequest,
  type Solution,
  viewPlan,
} from '../plan/index.ts';
import { must } from '../util/index.ts';
import { certifyDrawn, type DrawOptions, type LocalDraws, localDraws, tellOtherDraws } from './pack-run.ts';
import type { Output } from './terminal/output.ts';

/** Proposals that are measured at most. */
const MOST = 6;

/** How much more than a broken promise the next one must be: the accuracy model's own resolution. */
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

/** Where proposals come from and what they are measured on. */
export interface ProposalSettings {
  readonly fleet: Fleet;
  readonly request: PlanRequest;
  readonly solve: (problem: PlanningProblem) => Promise<Solution>;
  readonly data: DrawOptions;
  readonly seed: number;
  readonly threads?: number | undefined;
  readonly batch?: number | undefined;
}

/**
 * Measures what planning with free levels comes to, and adds it to the bundle on disk. A plan with certified levels over
 * what is returned is then at least as good as the best proposal that kept the floor.
 * @throws BedsideError as `localDraws` and `certifyLevels`
 */
export async function measureProposals(
  start: Bundle,
  { fleet, request, solve, data, seed, threads, batch }: ProposalSettings,
  output: Output,
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
        draws = await localDraws(describeClassifier(bundle.model, bundle.dir), data, seed, output);
        tellOtherDraws(start, draws, { data: data.data, seed }, output);
      }
      await certifyDrawn(bundle, levels, draws, { batch, threads, seed }, output);
      bundle = await openBundle(bundle.dir);
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
