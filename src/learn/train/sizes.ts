// Size classes: requests of one class are padded to one shape, so that one compiled step serves all of them.
import type { BatchShape, Sample } from './batch.ts';

const STAGES = [8, 14, 20] as const;
const DEVICES = [4, 8, 12] as const;
const LEVELS = 8;
/** Sets of several devices a stage, at most: 12 of two and 8 of four. */
const LARGER_SETS = 20;

/** The shape of a request's class; undefined when it is too large to train on. */
export function shapeOf(
  { stages, devices, sets, levels }: Pick<Sample, 'stages' | 'devices' | 'sets' | 'levels'>,
  batch: number,
): BatchShape | undefined {
  const L = STAGES.find((size) => stages <= size);
  const D = DEVICES.find((size) => devices <= size);
  if (L === undefined || D === undefined || levels > LEVELS || sets > D + LARGER_SETS) return undefined;
  return { batch, stages: L, devices: D, sets: D + LARGER_SETS, levels: LEVELS };
}

/** Name of a size class. */
export function keyOf({ stages, devices }: BatchShape): string {
  return `${stages}x${devices}`;
}
