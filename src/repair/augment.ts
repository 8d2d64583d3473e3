// Makes more samples from the given ones. Repair needs inputs like the local ones but no labels, since the unpruned
// network gives the target for any input. New samples are convex mixtures (Zhang et al., "mixup", ICLR 2018) with small
// translations.
import type { Dataset } from '../data/index.ts';
import { type Model, modelCosts } from '../onnx/index.ts';
import { isFloating, sizeOf } from '../onnx/internal.ts';
import { type Random, rowRange } from '../util/internal.ts';

/**
 * Largest share of the other sample in a mixture, and largest translation as a fraction of an axis, rounded to whole
 * positions.
 */
const MOST_MIXED = 0.5;
const MOST_SHIFTED = 1 / 30;

/**
 * Most multiply-accumulates of one pass of a network over its made samples. A ResNet-50 at 224 x 224 takes 4.1e9 a sample. So
 * large a network has at least 49 places in a sample at every layer, so more samples say little that is new.
 */
const PASS_MACS = 4e11;

/** How many times as many samples are made: as many as wanted, but fewer of a network so large that one pass takes long. */
export function copiesWithin(model: Model, size: number, copies: number): number {
  return Math.min(copies, Math.max(1, Math.floor(PASS_MACS / Math.max(1, modelCosts(model).macs * size))));
}

/** Samples, made ones counted, that are enough to rank, fit tables or find ranges; the least and the most copies. */
const ENOUGH = 240;
const COPIES = [2, 4] as const;

/**
 * How many times as many samples are made for rankings, tables and ranges. Of 120 samples, twice as many gave networks as near
 * and variants as accurate as four times as many, in two thirds of the time; of 30, they gave worse ones.
 */
export function copiesOf(size: number): number {
  const [least, most] = COPIES;
  return Math.min(most, Math.max(least, Math.ceil(ENOUGH / Math.max(1, size))));
}

/** Samples to fit on, followed by held-out samples. No held-out sample contains any part of a fitted one. */
export interface RepairSamples {
  readonly samples: Float32Array;
  readonly size: number;
  readonly sampleShape: readonly number[];
  /** Number of samples that fit; they come first. */
  readonly fitSize: number;
}

/** The same, with the origin of each sample. */
export interface MadeSamples extends RepairSamples {
  /** The given sample that makes up each sample, or most of it. */
  readonly origins: Int32Array;
}

/**
 * Shuffles the samples and holds out a quarter (at least one). Each part then grows to `copies` times its size: first
 * the samples themselves, then mixtures of two of them, translated along the axes behind the channels.
 */
export function repairSamples(
  calibration: Pick<Dataset, 'size' | 'sampleShape' | 'samples' | 'inputs'>,
  copies: number,
  random: Random,
): MadeSamples {
  const { size, sampleShape } = calibration;
  const order = random.shuffle(Int32Array.from({ length: size }, (_, i) => i));
  const heldOut = Math.max(1, Math.floor(size / 4));
  const parts = [order.subarray(0, size - heldOut), order.subarray(size - heldOut)];
  const length = sizeOf(sampleShape);
  const samples = new Float32Array(size * copies * length);
  const origins = new Int32Array(size * copies);
  let at = 0;
  for (const part of parts) {
    for (let copy = 0; copy < copies; copy++) {
      for (const index of part) {
        const own = rowRange(calibration.samples, size, index);
        const out = samples.subarray(at, at + length);
        origins[at / length] = index;
        at += length;
        if (copy === 0) out.set(own);
        else {
          const other = part[random.integer(part.length)] as number;
          const mixed = mixup(own, rowRange(calibration.samples, size, other), random.uniform());
          if (calibration.inputs) translateParts(mixed, own, calibration.inputs, out, random);
          else translate(mixed, sampleShape, out, random);
        }
      }
    }
  }
  return { samples, size: size * copies, sampleShape, origins, fitSize: (size - heldOut) * copies };
}

function mixup(a: Float32Array, b: Float32Array, share: number): Float32Array {
  const w = share * MOST_MIXED;
  return a.map((value, i) => (1 - w) * value + w * (b[i] as number));
}

/** Each of several inputs by itself; whole numbers and flags are no mixtures, and stay those of the sample. */
function translateParts(
  mixed: Float32Array,
  own: Float32Array,
  inputs: NonNullable<Dataset['inputs']>,
  to: Float32Array,
  random: Random,
): void {
  let start = 0;
  for (const { shape, elemType } of inputs) {
    const end = start + sizeOf(shape);
    if (isFloating(elemType)) translate(mixed.subarray(start, end), shape, to.subarray(start, end), random);
    else to.set(own.subarray(start, end), start);
    start = end;
  }
}

/** Translates `[channels, ...axes]` along every axis; edge values are repeated. */
function translate(from: Float32Array, shape: readonly number[], to: Float32Array, random: Random): void {
  const axes = shape.slice(1);
  const shifts = axes.map((extent) => Math.round((2 * random.uniform() - 1) * MOST_SHIFTED * extent));
  const plane = sizeOf(axes);
  const source = Int32Array.from({ length: plane }, (_, position) => {
    let [rest, flat, stride] = [position, 0, 1];
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const extent = axes[axis] as number;
      const place = (rest % extent) - (shifts[axis] as number);
      flat += Math.min(Math.max(place, 0), extent - 1) * stride;
      rest = Math.floor(rest / extent);
      stride *= extent;
    }
    return flat;
  });
  for (let start = 0; start < from.length; start += plane) {
    for (let k = 0; k < plane; k++) to[start + k] = from[start + (source[k] as number)] as number;
  }
}
