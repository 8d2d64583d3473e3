// What a plan says to those who run it.
import type { BundleManifest } from '../../bundle/index.ts';
import type { PlanView, StageView } from '../../plan/index.ts';

/** Levels of all groups, and for each stage the devices and their channels. What a planner shows is one. */
export type RunPlan = Pick<PlanView, 'levels'> & {
  readonly stages: readonly Pick<StageView, 'index' | 'segments'>[];
};

/** All devices of a plan, each once. */
export function devicesOf({ stages }: RunPlan): string[] {
  return [...new Set(stages.flatMap(({ segments }) => segments.map(({ device }) => device)))];
}

/** Indices of the stages of which a device computes at least one segment. */
export function stagesOn({ stages }: RunPlan, device: string): number[] {
  return stages.flatMap(({ index, segments }) =>
    segments.some((segment) => segment.device === device) ? [index] : [],
  );
}

/** Every stage whole on one device, to measure it; channels do not matter then. */
export function wholePlan({ stages }: BundleManifest, levels: readonly number[], device: string): RunPlan {
  return { levels, stages: stages.map(({ index }) => ({ index, segments: [{ device, from: 0, to: 1 }] })) };
}
