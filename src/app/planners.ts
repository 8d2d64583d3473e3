// Planners by name, the shipped policy among them.
import { fileURLToPath } from 'node:url';
import type { PolicyPlanner } from '../learn/index.ts';
import { beamPlanner, exactPlanner, greedyPlanner, localPlanner, type Planner } from '../plan/index.ts';
import {
  distributeOnlyPlanner,
  heftPlanner,
  highsPlanner,
  type PlanningInstance,
  pruneOnlyPlanner,
  type Solution,
} from '../plan/internal.ts';
import { BedsideError, must } from '../util/index.ts';
import { readFileChecked, sha256Of } from '../util/internal.ts';

/** The policy that the package ships; the same place from `src` and from `dist`. */
const SHIPPED_POLICY = fileURLToPath(new URL('../../models/policy.onnx', import.meta.url));

const PLANNERS = {
  exact: exactPlanner,
  beam: beamPlanner,
  highs: highsPlanner,
  greedy: greedyPlanner,
  heft: heftPlanner,
  'distribute-only': distributeOnlyPlanner(exactPlanner),
  'prune-only': pruneOnlyPlanner(exactPlanner),
  local: localPlanner,
  policy: policyPlanner(),
} as const satisfies Record<string, Planner>;

/** A planner's name. */
export type SolverName = keyof typeof PLANNERS;

/** The names of all planners. */
export const SOLVERS = Object.keys(PLANNERS) as readonly SolverName[];

/**
 * The planner of a name.
 * @param policy file of a policy that `train` wrote, for `policy`; the shipped one if absent
 * @throws BedsideError E_USAGE for a policy with another planner. A fault of the file is thrown by the first call of `plan`:
 *   E_FILE, E_MODEL, E_ENGINE
 */
export function plannerOf(name: SolverName, policy?: string): Planner {
  if (policy === undefined) return must(PLANNERS[name], `planner ${name}`);
  if (name === 'policy') return policyPlanner(policy);
  throw new BedsideError('E_USAGE', `a policy has no meaning for the solver '${name}'`, {
    hint: "leave the policy out, or choose the solver 'policy'",
  });
}

/** Whether a planner searches all plans: if it finds none, the request itself may be at fault. */
export function searchesAll(name: SolverName): boolean {
  return ['exact', 'beam', 'highs', 'policy'].includes(name);
}

/** Any plan, or a proof that none exists: the solver that the diagnosis of infeasible requests needs. */
export function anyPlan(instance: PlanningInstance): Promise<Solution> {
  return exactPlanner.plan(instance, { gap: 1, labels: 100_000 });
}

let shippedHash: Promise<string> | undefined;

/** SHA-256 of the shipped policy's file, in hexadecimal. @throws BedsideError E_FILE */
export function policySha256(): Promise<string> {
  shippedHash ??= readFileChecked(SHIPPED_POLICY, 'policy').then((bytes) => sha256Of(bytes));
  return shippedHash;
}

/** A planner that opens its policy with the first plan: most plans are made without one. */
export function policyPlanner(path: string = SHIPPED_POLICY): Planner {
  let opened: Promise<PolicyPlanner> | undefined;
  return {
    name: 'policy',
    async plan(instance) {
      opened ??= open(path);
      return (await opened).plan(instance);
    },
  };
}

async function open(path: string): Promise<PolicyPlanner> {
  const bytes = await readFileChecked(path, 'policy');
  const { PolicyPlanner: Opened } = await import('../learn/index.ts');
  return Opened.open(bytes, `policy ${path}`);
}
