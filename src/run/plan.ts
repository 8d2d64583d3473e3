// What a plan says to those who run it.
import type { PlanView, StageView } from '../plan/index.ts';

/** Levels of all groups, and for each stage the devices and their channels. What a planner shows is one. */
export type RunPlan = Pick<PlanView, 'levels'> & {
  readonly stages: readonly Pick<StageView, 'index' | 'segments'>[];
};
