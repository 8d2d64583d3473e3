// Refits a recurrent layer of a repaired network through time: a bounded number of quasi-Newton steps on what the unpruned
// network answers and remembers. Labels are not read.

import type { Dataset } from '../../data/index.ts';
import type { Model } from '../../onnx/index.ts';
import { fixedBatchOf } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { joinedRows, Random } from '../../util/internal.ts';
import { type RepairSamples, repairSamples } from '../augment.ts';
import type { Matrix, Products } from '../products.ts';
import { layerOf, sequencesOf, withGates } from '../recurrent.ts';
import { gateMaps, type Sequence } from '../recurrent-maps.ts';
import { type NetworkRun, visitValues } from '../walk.ts';
import { BehindLayer, comparedValue } from './behind.ts';
import { descend } from './lbfgs.ts';
import { runThroughTime, whyNotUnrolled } from './unrolled.ts';

/** Most steps of all samples together: more samples are made as long as they stay below. */
const MOST_ROWS = 51_200;
const MOST_COPIES = 16;
/** Quasi-Newton steps. */
const STEPS = 60;
/** After how many of them without a smaller held-out error the rest is not worth its time. */
const PATIENCE = 25;
/** How much an error of states counts beside one of answers, each relative to its variance. */
const STATES_COUNT = 0.3;

/** Settings of the refit. */
export interface TimeOptions extends NetworkRun {
  readonly calibration: Dataset;
  readonly seed: number;
  readonly copies: number;
  /** Told which share of the steps is done, from 0 to 1. */
  readonly onShare?: ((share: number) => void) | undefined;
}

/** What one layer is fitted to. */
interface Problem {
  readonly size: number;
  /** `[steps * size, inputs]` and the states of kept units `[steps * size, units]`, in the order of processing. */
  readonly x: Matrix;
  readonly states: Matrix;
  /** What passes by the layer, `[size, ...]`. */
  readonly beside: Float32Array;
  /** `[size, values]`, and the variances of both. */
  readonly values: Float32Array;
  readonly variance: { readonly states: number; readonly values: number };
}

/** A network with one layer refitted, or why it was not. */
export type TimeRefit = { readonly model: Model } | { readonly reason: string };

/**
 * Refits one recurrent layer. What the fit never sees decides: the steps stop counting where the error of held-out samples
 * is smallest.
 * @param kept hidden units that stay, as positions in the unpruned layer
 */
export async function refitThroughTime(
  { original, cut }: { readonly original: Model; readonly cut: Model },
  name: string,
  kept: readonly number[],
  products: Products,
  options: TimeOptions,
): Promise<TimeRefit> {
  const layer = layerOf(cut, name);
  const reason = whyNotUnrolled(layer);
  if (reason) return { reason };
  if (fixedBatchOf(cut) !== undefined) return { reason: 'the file fixes the batch' };
  const samples = await samplesFor(cut, name, options);
  const [first] = await sequencesOf(cut, name, part(samples, 0, 1), options);
  const { steps } = must(first, 'a sample');
  const behind = await BehindLayer.open(cut, name, { steps, units: layer.hidden }, options);
  if ('reason' in behind) return behind;
  try {
    const models = { original, cut, beside: behind.beside };
    const { fit, held } = await problemsOf(models, name, kept, samples, options);
    const [sequence] = await sequencesOf(cut, name, part(samples, 0, 1), options);
    const shapes = gateMaps(
      layer,
      [must(sequence, 'a sample')],
      [must(sequence, 'a sample')],
      [Int32Array.of(0)],
    ).map(({ weights }) => weights);
    const isReverse = must(sequence, 'a sample').isReverse;
    const errorOf = async (problem: Problem, point: Float64Array, wanted: boolean) => {
      const weights = unpacked(point, shapes);
      const run = await runThroughTime(layer, weights, problem.x, problem.size, products);
      const found = await errorAt(problem, run.states, behind, isReverse);
      const gradient = wanted ? packed(await run.backward(found.gradient)) : new Float64Array();
      return { ...found, gradient };
    };
    const start = packed(shapes);
    // States only steady the fit: what counts is what the network answers.
    const before = (await errorOf(held, start, false)).answers;
    let best = { point: start, error: before };
    let [step, lowest] = [0, 0];
    await descend((point) => errorOf(fit, point, true), start, {
      steps: STEPS,
      onStep: async (point) => {
        step++;
        options.onShare?.(step / STEPS);
        if (step % 5 === 0 || step === STEPS) {
          const { answers } = await errorOf(held, point, false);
          if (answers < best.error) {
            best = { point, error: answers };
            lowest = step;
          }
        }
        return step - lowest < PATIENCE;
      },
    });
    if (best.point === start) return { reason: 'no step lowers the error of held-out samples' };
    return { model: withGates(cut, name, unpacked(best.point, shapes)) };
  } finally {
    await behind.release();
  }
}

/** The error of states and values, each relative to its variance, and its derivative by the states. */
async function errorAt(
  { size, states: wanted, beside, values, variance }: Problem,
  { data, rows, columns }: Matrix,
  behind: BehindLayer,
  isReverse: boolean,
): Promise<{ value: number; answers: number; gradient: Float64Array }> {
  const steps = rows / size;
  const place = (sample: number, t: number): number =>
    (sample * steps + (isReverse ? steps - 1 - t : t)) * columns;
  const turned = new Float32Array(data.length);
  for (let t = 0; t < steps; t++) {
    for (let sample = 0; sample < size; sample++) {
      const from = (t * size + sample) * columns;
      turned.set(data.subarray(from, from + columns), place(sample, t));
    }
  }
  const { half, gradient: back } = await behind.error(turned, beside, values);
  const ofValues = 1 / (values.length * variance.values);
  const ofStates = STATES_COUNT / (data.length * variance.states);
  const gradient = new Float64Array(data.length);
  let squares = 0;
  for (let t = 0; t < steps; t++) {
    for (let sample = 0; sample < size; sample++) {
      const [from, to] = [(t * size + sample) * columns, place(sample, t)];
      for (let u = 0; u < columns; u++) {
        const off = (data[from + u] as number) - (wanted.data[from + u] as number);
        squares += off * off;
        gradient[from + u] = 2 * (ofStates * off + ofValues * (back[to + u] as number));
      }
    }
  }
  const answers = 2 * ofValues * half;
  return { value: ofStates * squares + answers, answers, gradient };
}

/** As many made samples as the layer's steps allow. */
async function samplesFor(cut: Model, name: string, options: TimeOptions): Promise<RepairSamples> {
  const { calibration, seed, copies } = options;
  const few = repairSamples(calibration, 1, new Random(seed));
  const [first] = await sequencesOf(cut, name, part(few, 0, 1), options);
  const most = Math.floor(MOST_ROWS / (calibration.size * must(first, 'a sample').steps));
  return repairSamples(
    calibration,
    Math.max(Math.min(most, MOST_COPIES), Math.min(copies, MOST_COPIES)),
    new Random(seed),
  );
}

function part({ samples, size, sampleShape }: RepairSamples, from: number, to: number): RepairSamples {
  const row = samples.length / size;
  return {
    samples: samples.subarray(from * row, to * row),
    size: to - from,
    sampleShape,
    fitSize: to - from,
  };
}

async function problemsOf(
  {
    original,
    cut,
    beside,
  }: { readonly original: Model; readonly cut: Model; readonly beside: readonly string[] },
  name: string,
  kept: readonly number[],
  samples: RepairSamples,
  options: TimeOptions,
): Promise<{ fit: Problem; held: Problem }> {
  const before = await sequencesOf(original, name, samples, options);
  const now = await sequencesOf(cut, name, samples, options);
  const answers: Float32Array[] = [];
  const value = comparedValue(original);
  await visitValues(original, [value], samples, options, (sample, read) => {
    answers[sample] = read(value).slice();
  });
  const passing: Float32Array[] = Array.from({ length: samples.size }, () => new Float32Array());
  if (beside.length > 0) {
    await visitValues(cut, beside, samples, options, (sample, read) => {
      passing[sample] = joinedRows(beside.map(read));
    });
  }
  const problem = (from: number, to: number): Problem => {
    const states = rowsByStep(before.slice(from, to), ({ h }) => h, kept);
    const values = joinedRows(answers.slice(from, to));
    return {
      size: to - from,
      x: rowsByStep(now.slice(from, to), ({ x }) => x),
      states,
      beside: joinedRows(passing.slice(from, to)),
      values,
      variance: { states: varianceOf(states.data), values: varianceOf(values) },
    };
  };
  const { fitSize, size } = samples;
  return { fit: problem(0, fitSize), held: problem(fitSize, size) };
}

/** `[steps * samples, columns]`, steps in the order of processing. */
function rowsByStep(
  sequences: readonly Sequence[],
  of: (sequence: Sequence) => Float32Array,
  chosen?: readonly number[],
): Matrix {
  const first = must(sequences[0], 'a sample');
  const width = of(first).length / first.steps;
  const columns = chosen ?? Array.from({ length: width }, (_, c) => c);
  const data = new Float64Array(first.steps * sequences.length * columns.length);
  sequences.forEach((sequence, sample) => {
    const values = of(sequence);
    for (let t = 0; t < sequence.steps; t++) {
      const step = sequence.isReverse ? sequence.steps - 1 - t : t;
      const to = (t * sequences.length + sample) * columns.length;
      columns.forEach((column, c) => {
        data[to + c] = values[step * width + column] as number;
      });
    }
  });
  return { rows: first.steps * sequences.length, columns: columns.length, data };
}

function packed(matrices: readonly Matrix[]): Float64Array {
  const result = new Float64Array(matrices.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (const { data } of matrices) {
    result.set(data, at);
    at += data.length;
  }
  return result;
}

function unpacked(point: Float64Array, shapes: readonly Matrix[]): Matrix[] {
  let at = 0;
  return shapes.map(({ rows, columns }) => {
    at += rows * columns;
    return { rows, columns, data: point.slice(at - rows * columns, at) };
  });
}

function varianceOf(values: ArrayLike<number>): number {
  let [sum, square] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    sum += values[i] as number;
    square += (values[i] as number) ** 2;
  }
  return square / values.length - (sum / values.length) ** 2 || 1;
}
