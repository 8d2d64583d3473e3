// The learned policy as a planner: loaded when it is first asked.
import { fileURLToPath } from 'node:url';
import type { PolicyPlanner } from '../learn/index.ts';
import type { Planner } from '../plan/index.ts';
import { readFileChecked } from '../util/index.ts';

/** The policy that the package ships; the same place from `src` and from `dist`. */
export const SHIPPED_POLICY = fileURLToPath(new URL('../../models/policy.onnx', import.meta.url));

/**
 * A planner of a policy's file. What is wrong with the file is told when it first plans: E_FILE, E_MODEL, E_ENGINE.
 */
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

/** What learning needs is loaded with the first policy: most plans are made without one. */
async function open(path: string): Promise<PolicyPlanner> {
  const bytes = await readFileChecked(path, 'policy');
  const { PolicyPlanner: Opened } = await import('../learn/index.ts');
  return Opened.open(bytes, `policy ${path}`);
}
