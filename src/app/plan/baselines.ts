// Plans of simpler planners, and the check that every plan passes before it is a result.
import { checkPlan, type PlanningProblem, type PlanView, viewPlan } from '../../plan/index.ts';
import { localPlan, type StageDecision } from '../../plan/internal.ts';
import { BedsideError } from '../../util/index.ts';
import { plannerOf, type SolverName } from '../planners.ts';

/** A plan in four figures: seconds, joules, the bundle's measure of accuracy. Null without a plan. */
export interface PlanTotals {
  readonly objective: number | null;
  readonly latency: number | null;
  readonly energy: number | null;
  readonly accuracy: number | null;
}

/** A simpler planner's plan. */
export interface Baseline extends PlanTotals {
  readonly solver: SolverName;
  /** Why it has no plan; empty if it has one. */
  readonly reason: string;
}

const BASELINES = ['local', 'distribute-only', 'prune-only'] as const satisfies readonly SolverName[];

/** The figures of a plan. */
export function totalsOf(view: PlanView | undefined): PlanTotals {
  if (!view) return { objective: null, latency: null, energy: null, accuracy: null };
  const { objective, latency, energy, accuracy } = view;
  return { objective, latency, energy, accuracy };
}

/** The plans of all baselines but `solver` itself. `seconds` limit each. */
export async function baselinesOf(
  problem: PlanningProblem,
  solver: SolverName,
  seconds: number,
): Promise<readonly Baseline[]> {
  const rows: Baseline[] = [];
  for (const name of BASELINES) {
    if (name === solver) continue;
    const { decisions } = await plannerOf(name).plan(problem.instance, { seconds });
    const view = decisions && checkedView(problem, decisions, name);
    rows.push({ solver: name, ...totalsOf(view), reason: view ? '' : reasonOf(name, problem) });
  }
  return rows;
}

/** Why a baseline has no plan. There is only one local plan, so its broken limits have names. */
function reasonOf(name: SolverName, { instance }: PlanningProblem): string {
  if (name !== 'local') return 'none within the limits';
  const { violations } = checkPlan(instance, localPlan(instance));
  const broken = violations.map(({ constraint, device }) =>
    device ? `${constraint} of ${device}` : constraint,
  );
  return `breaks ${broken.join(', ')}`;
}

/**
 * A plan with names and figures.
 * @throws BedsideError E_INTERNAL for a plan that breaks a limit: it is never a result
 */
export function checkedView(
  problem: PlanningProblem,
  decisions: readonly StageDecision[],
  solver: SolverName,
): PlanView {
  const view = viewPlan(problem, decisions);
  const [broken] = view.violations;
  if (!broken) return view;
  const where = [broken.device, broken.stage].filter((part) => part !== undefined).join(', stage ');
  throw new BedsideError(
    'E_INTERNAL',
    `solver ${solver} gave a plan that breaks ${broken.constraint} (${where}): ${broken.value} against ${broken.limit}`,
    { hint: 'please report it, with the fleet and the bundle' },
  );
}
