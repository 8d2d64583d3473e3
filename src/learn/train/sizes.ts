// Size classes: requests of one class are padded to one shape, so that one compiled step serves all of them.
import type { BatchShape, Sample } from './batch.ts';

const STAGES = [8, 14, 20] as const;
const DEVICES = [4, 8, 12] as const;
/** Of a cut: those of its channels, twice where its tensor may travel as eight bits. */
const LEVELS = [8, 16] as const;
/** Sets of several devices a stage, at most: 12 of two and 8 of four. */
const LARGER_SETS = 20;

/** The shape of a request's class; undefined when it is too large to train on. */
export function shapeOf(
  { stages, devices, sets, levels }: Pick<Sample, 'stages' | 'devices' | 'sets' | 'levels'>,
  batch: number,
): BatchShape | undefined {
  const L = STAGES.find((size) => stages <= size);
  const D = DEVICES.find((size) => devices <= size);
  const P = LEVELS.find((size) => levels <= size);
  if (L === undefined || D === undefined || P === undefined || sets > D + LARGER_SETS) return undefined;
  return { batch, stages: L, devices: D, sets: D + LARGER_SETS, levels: P };
}

/** Name of a size class. */
export function keyOf({ stages, devices, levels }: BatchShape): string {
  return `${stages}x${devices}x${levels}`;
}
