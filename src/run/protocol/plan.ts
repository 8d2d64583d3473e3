// The part of a plan that is needed to run it.
import type { BundleManifest } from '../../bundle/index.ts';
import type { PlanView, StageView } from '../../plan/index.ts';

/**
 * The levels of all groups, and for each stage its devices and their channels, what it computes in, and what its input
 * travels as (float32 where nothing is said). A `PlanView` of a planner is one.
 */
export type RunPlan = Pick<PlanView, 'levels'> & {
  readonly stages: readonly (Pick<StageView, 'index' | 'segments'> & {
    readonly precision?: StageView['precision'] | undefined;
    readonly wire?: StageView['wire'] | undefined;
  })[];
};

/** Whether a stage computes in eight bits. */
export function isEightBit({ stages }: RunPlan, stage: number): boolean {
  return stages[stage]?.precision === 'int8';
}

/** Whether a segment's output is rounded where it is made: another device reads it, and it travels as eight bits. */
export function isRounded({ stages }: RunPlan, stage: number, device: string): boolean {
  const next = stages[stage + 1];
  return next?.wire === 'uint8' && next.segments.some((segment) => segment.device !== device);
}

/** Whether all of the input of an eight-bit stage comes as integers, which it takes as they are. */
export function takesIntegers(plan: RunPlan, stage: number): boolean {
  const before = plan.stages[stage - 1]?.segments ?? [];
  if (!isEightBit(plan, stage) || before.length === 0) return false;
  return before.every(({ device }) => isRounded(plan, stage - 1, device));
}

/** Devices of plans that were asked about: a plan serves many requests, and never changes. */
const KNOWN = new WeakMap<RunPlan, readonly string[]>();

/** All devices of a plan, each once. */
export function devicesOf(plan: RunPlan): readonly string[] {
  const known = KNOWN.get(plan);
  if (known) return known;
  const devices = new Set(plan.stages.flatMap(({ segments }) => segments.map(({ device }) => device)));
  const found = [...devices];
  KNOWN.set(plan, found);
  return found;
}

/** Indices of the stages of which a device computes at least one segment. */
export function stagesOn({ stages }: RunPlan, device: string): number[] {
  return stages.flatMap(({ index, segments }) =>
    segments.some((segment) => segment.device === device) ? [index] : [],
  );
}

/** Number of segments that a device computes. */
export function segmentsOn({ stages }: RunPlan, device: string): number {
  let count = 0;
  for (const { segments } of stages) for (const segment of segments) if (segment.device === device) count++;
  return count;
}

/** A plan with every stage whole on one device, to measure it. The channel ranges are placeholders. */
export function wholePlan(
  { stages }: BundleManifest,
  levels: readonly number[],
  device: string,
  precision: StageView['precision'] = 'float32',
): RunPlan {
  return {
    levels,
    stages: stages.map(({ index }) => ({ index, precision, segments: [{ device, from: 0, to: 1 }] })),
  };
}
