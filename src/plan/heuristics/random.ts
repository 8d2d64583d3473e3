// A random plan within the limits: the least that any planner must beat.
import { Random } from '../../util/internal.ts';
import type { PlanningInstance, StageDecision } from '../problem/instance.ts';
import { begin, extend, objectiveOf, type PartialPlan } from './partial.ts';

/** Walks from the first stage to the last, and decisions tried at each. */
const WALKS = 40;
const TRIES = 24;

/**
 * Decisions drawn uniformly, stage by stage; those that break a limit are drawn again, and a walk that is stuck begins
 * anew. The same instance always gives the same plan.
 * @returns undefined when no walk came through, which proves nothing
 */
export function randomPlan(instance: PlanningInstance, seed: number): StageDecision[] | undefined {
  const random = new Random(seed ^ fingerprint(instance));
  for (let walk = 0; walk < WALKS; walk++) {
    const plan = walked(instance, random);
    if (plan && Number.isFinite(objectiveOf(instance, plan))) return plan;
  }
  return undefined;
}

function walked(instance: PlanningInstance, random: Random): StageDecision[] | undefined {
  let partial = begin(instance);
  for (const stage of instance.stages) {
    let next: PartialPlan | undefined;
    for (let attempt = 0; !next && attempt < TRIES; attempt++) {
      const set = random.integer(stage.sets.length);
      const inner = random.integer(stage.inner);
      next = extend(instance, partial, { set, inner, level: random.integer(stage.levelsOut) });
    }
    if (!next) return undefined;
    partial = next;
  }
  return [...partial.decisions];
}

/** Bits of what differs between one request and the next. */
function fingerprint({ deadline, devices }: PlanningInstance): number {
  const numbers = Float64Array.from([deadline, ...devices.flatMap(({ speed, memory }) => [speed, memory])]);
  return new Uint32Array(numbers.buffer).reduce((hash, word) => Math.imul(hash ^ word, 0x01000193) >>> 0, 1);
}
