// Why a request was refused: names the first limit without which the planner finds a plan.

import { BedsideError, formatSeconds } from '../util/index.ts';
import type { Planner } from './planner.ts';
import type { PlanningInstance } from './problem/instance.ts';

/** Limits that can leave a request without a plan. */
export type BindingConstraint = 'deadline' | 'accuracy' | 'memory' | 'energy' | 'privacy' | 'together';

const PLENTY = 1e15;

/** Instances with one limit lifted, in the order in which they are tried. */
const LIFTED: readonly (readonly [BindingConstraint, (instance: PlanningInstance) => PlanningInstance])[] = [
  ['deadline', (instance) => ({ ...instance, deadline: PLENTY })],
  ['accuracy', (instance) => ({ ...instance, accuracyFloor: 0 })],
  [
    'memory',
    (instance) => ({
      ...instance,
      devices: instance.devices.map((device) => ({ ...device, memory: PLENTY })),
    }),
  ],
  [
    'energy',
    (instance) => ({
      ...instance,
      devices: instance.devices.map((device) => ({ ...device, energy: PLENTY })),
    }),
  ],
  [
    'privacy',
    (instance) => ({
      ...instance,
      devices: instance.devices.map((device) => ({ ...device, trusted: true })),
    }),
  ],
];

/** The limit that alone stands in the way, as far as the planner can tell; `together` when no single one does. */
export async function bindingConstraint(
  planner: Planner,
  instance: PlanningInstance,
): Promise<BindingConstraint> {
  for (const [constraint, lift] of LIFTED) {
    const { decisions } = await planner.plan(lift(instance));
    if (decisions) return constraint;
  }
  return 'together';
}

/**
 * The error for a request without a plan; it names the binding constraint.
 * @param figure what the floor is of, in words
 */
export async function refusal(
  planner: Planner,
  instance: PlanningInstance,
  name: string,
  figure = 'accuracy',
): Promise<BedsideError> {
  const constraint = await bindingConstraint(planner, instance);
  const what = {
    deadline: `the deadline of ${formatSeconds(instance.deadline)} is too tight`,
    accuracy: `the ${figure} floor of ${instance.accuracyFloor.toFixed(3)} is too high`,
    memory: 'devices have too little memory',
    energy: 'devices have too little energy',
    privacy: 'privacy leaves too few devices',
    together: 'no single limit stands in the way, several do',
  }[constraint];
  return new BedsideError('E_REQUEST', `no plan for ${name}: ${what}`, {
    hint: '`bedside plan --solver exact` proves whether there is one, and says by how much a limit would have to change',
  });
}
