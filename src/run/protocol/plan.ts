// The part of a plan that is needed to run it.
import type { BundleManifest } from '../../bundle/index.ts';
import type { PlanView } from '../../plan/index.ts';
import type { StageView } from '../../plan/internal.ts';

/**
 * The levels of all groups, and for each stage its devices and their channels, what it computes in, and what its input
 * travels as (float32 where nothing is said). A `PlanView` of a planner is one.
 */
export type RunPlan = Pick<PlanView, 'levels'> & {
  /** The device that has the input and wants the result; absent: that of the first stage. */
  readonly source?: string | undefined;
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

/** What is asked of a plan for every request that runs it. */
interface PlanFacts {
  readonly devices: readonly string[];
  /** By device. */
  readonly stages: ReadonlyMap<string, readonly number[]>;
  /** By stage: the devices of the next one. */
  readonly readers: readonly (readonly string[])[];
}

/** A plan serves many requests, and never changes. */
const KNOWN = new WeakMap<RunPlan, PlanFacts>();

function factsOf(plan: RunPlan): PlanFacts {
  const known = KNOWN.get(plan);
  if (known) return known;
  const holders = plan.stages.map(({ segments }) => [...new Set(segments.map(({ device }) => device))]);
  const stages = new Map<string, number[]>();
  plan.stages.forEach(({ index }, at) => {
    for (const device of holders[at] ?? []) stages.set(device, [...(stages.get(device) ?? []), index]);
  });
  const facts = { devices: [...stages.keys()], stages, readers: holders.slice(1) };
  KNOWN.set(plan, facts);
  return facts;
}

/** The device that the input is sent to. */
export function firstDeviceOf({ stages: [first] }: RunPlan): string | undefined {
  return first?.segments[0]?.device;
}

/** The device that has the input, beside its requester. */
export function sourceOf(plan: RunPlan): string | undefined {
  return plan.source ?? firstDeviceOf(plan);
}

/** All devices of a plan, each once. */
export function devicesOf(plan: RunPlan): readonly string[] {
  return factsOf(plan).devices;
}

/** Indices of the stages of which a device computes at least one segment. */
export function stagesOn(plan: RunPlan, device: string): readonly number[] {
  return factsOf(plan).stages.get(device) ?? [];
}

/** Devices that need the output of a stage, each once; undefined for the last stage, whose output is the answer. */
export function readersOf(plan: RunPlan, stage: number): readonly string[] | undefined {
  return factsOf(plan).readers[stage];
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
