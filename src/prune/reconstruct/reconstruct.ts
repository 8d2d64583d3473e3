// Repair after pruning, without retraining: every layer behind a pruned one is refit in closed form, in execution order,
// so that on a few unlabelled samples it gives again what the unpruned layer gave (layer-wise least squares, as in
// He et al., ICCV 2017, with a ridge toward the sliced weights).

import type { Grouping } from '../../channels/index.ts';
import { type Keep, keptPositions } from '../../channels/index.ts';
import type { Dataset } from '../../data/index.ts';
import { createSession, type Session, tensor } from '../../engine/index.ts';
import { type LinearLayer, linearLayers, soleInput } from '../../explain/index.ts';
import { extractSubgraph, inferShapes, type Model } from '../../onnx/index.ts';
import { BedsideError, must, Random } from '../../util/index.ts';
import { type Matrix, Products } from './products.ts';
import { solveRidge } from './ridge.ts';
import { samplePositions, Unfolding } from './rows.ts';
import { type LayerTarget, repairOrder, targetOf } from './targets.ts';
import { setWeights } from './weights.ts';

/** What the repair reads, and its limits. */
export interface ReconstructOptions {
  /** How the model is called in error messages. */
  readonly name: string;
  /** Samples; labels are not read. */
  readonly calibration: Dataset;
  /** Samples per run of the engine; default 16. */
  readonly batch?: number | undefined;
  readonly threads?: number | undefined;
  readonly seed?: number | undefined;
  /** Most output positions that a layer is fit on, over all samples; bounds memory. Default 8192. */
  readonly maxPositions?: number | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What happened to one layer. */
export interface LayerRepair {
  readonly layer: string;
  /** Held-out squared error over the variance of what the unpruned layer gives. */
  readonly errorBefore: number;
  readonly errorAfter: number;
  /** Regression rows and unknowns of each output (of one group of a grouped convolution). */
  readonly rows: number;
  readonly unknowns: number;
  /** False where the refit would not have lowered the held-out error: the layer keeps its sliced weights. */
  readonly refit: boolean;
}

/** A repaired model. */
export interface Reconstruction {
  readonly model: Model;
  readonly layers: readonly LayerRepair[];
}

/** Bytes that the rows of one layer may take. */
const ROW_BYTES = 256 * 2 ** 20;

/**
 * Refits a pruned model against the model it was cut from (both canonical, the same names).
 * @param keep the units that the cut kept
 * @throws BedsideError E_DATA with fewer than two samples: one must be held out
 */
export async function reconstruct(
  original: Model,
  cut: Model,
  grouping: Grouping,
  keep: Keep,
  options: ReconstructOptions,
): Promise<Reconstruction> {
  const { calibration, threads = 1, seed = 1, onProgress } = options;
  if (calibration.size < 2) {
    throw new BedsideError(
      'E_DATA',
      `${calibration.name}: ${calibration.size} sample to reconstruct from, need 2`,
      {
        hint: 'give more calibration samples, or prune with --no-reconstruct',
      },
    );
  }
  const positions = keptPositions(grouping, keep);
  const shapes = inferShapes(cut, 1);
  const layers = linearLayers(cut, shapes).filter((layer) => layer.kind !== 'conv-transpose');
  const stale = behindPruned(cut, positions);
  const todo = repairOrder(
    cut,
    layers.filter((layer) => stale.has(layer.input)),
  );
  const pending = new Set(todo.map((layer) => layer.name));
  const products = await Products.create(threads);
  const order = new Random(seed).shuffle(Int32Array.from({ length: calibration.size }, (_, i) => i));
  let model = cut;
  const repairs: LayerRepair[] = [];
  let start: number | undefined;
  try {
    for (const [index, layer] of todo.entries()) {
      const target = targetOf(cut, layer, pending, shapes);
      pending.delete(layer.name);
      const rows = await collectRows(original, model, layer, target, positions, order, {
        ...options,
        seed: seed + index,
      });
      const { model: refitted, repair, strength } = await refitLayer(model, layer, rows, products, start);
      // Neighbouring layers want much the same: the search starts where the last one ended.
      start = strength || start;
      model = refitted;
      repairs.push(repair);
      onProgress?.(index + 1, todo.length);
    }
  } finally {
    await products.release();
  }
  return { model, layers: repairs };
}

/** Values that differ from the unpruned model's: those behind a layer that lost channels. */
function behindPruned(model: Model, positions: (value: string) => number[] | undefined): Set<string> {
  const stale = new Set<string>();
  for (const node of model.graph.nodes) {
    const touched = node.inputs.some((name) => stale.has(name));
    for (const name of node.outputs) if (touched || positions(name)) stale.add(name);
  }
  return stale;
}

/** A layer's regression: one matrix of inputs (with a 1 for the bias) and one of targets for each convolution group. */
interface LayerRows {
  readonly x: readonly Matrix[];
  readonly y: readonly Matrix[];
  readonly fitRows: number;
}

async function collectRows(
  original: Model,
  model: Model,
  layer: LinearLayer,
  target: LayerTarget,
  positions: (value: string) => number[] | undefined,
  order: Int32Array,
  options: ReconstructOptions,
): Promise<LayerRows> {
  const { calibration, batch = 16, threads = 1, seed = 1, maxPositions = 8192 } = options;
  const unfolding = new Unfolding(layer);
  const groups = layer.conv?.groups ?? 1;
  const outputs = layer.channels / groups;
  const width = unfolding.columns + (takesBias(layer) ? 1 : 0);
  const most = Math.max(calibration.size, Math.floor(ROW_BYTES / (8 * groups * (width + outputs))));
  const places = samplePositions(
    calibration.size,
    unfolding.positions,
    Math.min(maxPositions, most),
    new Random(seed),
  );
  const perSample = must(places[0], 'no samples').length;
  const rows = perSample * calibration.size;
  const matrix = (columns: number): Matrix => ({ rows, columns, data: new Float64Array(rows * columns) });
  const x = Array.from({ length: groups }, () => matrix(width));
  const y = Array.from({ length: groups }, () => matrix(outputs));
  const kept = positions(layer.output) ?? Array.from({ length: layer.channels }, (_, c) => c);

  const input = soleInput(model);
  const wanted = [layer.input, ...(target.minus === undefined ? [] : [target.minus])];
  const sessions = await openBoth(original, model, input, target.value, wanted, options.name, threads);
  try {
    const size = calibration.samples.length / calibration.size;
    for (let first = 0; first < order.length; first += batch) {
      const chosen = order.subarray(first, first + batch);
      const samples = new Float32Array(chosen.length * size);
      chosen.forEach((sample, i) => {
        samples.set(calibration.samples.subarray(sample * size, (sample + 1) * size), i * size);
      });
      const feed = { [input]: tensor(samples, [chosen.length, ...calibration.sampleShape]) };
      const pruned = await sessions.pruned.run(feed);
      const whole = await sessions.original.run(feed);
      const read = (values: typeof pruned, name: string, i: number): Float32Array => {
        const value = name === input ? feed[input] : values[name];
        const data = must(value?.type === 'float32' ? value.data : undefined, `'${name}' is not float32`);
        return data.subarray((i * data.length) / chosen.length, ((i + 1) * data.length) / chosen.length);
      };
      for (let i = 0; i < chosen.length; i++) {
        const before = read(whole, target.value, i);
        const minus = target.minus === undefined ? undefined : read(pruned, target.minus, i);
        const source = read(pruned, layer.input, i);
        const places_ = must(places[first + i], 'no positions');
        for (let k = 0; k < perSample; k++) {
          const row = (first + i) * perSample + k;
          const position = places_[k] as number;
          for (let g = 0; g < groups; g++) {
            const { data } = x[g] as Matrix;
            unfolding.write(source, g, position, data, row * width);
            if (width > unfolding.columns) data[row * width + width - 1] = 1;
            const out = (y[g] as Matrix).data;
            for (let o = 0; o < outputs; o++) {
              const channel = g * outputs + o;
              const from = valueAt(before, kept[channel] as number, position, unfolding.positions, layer);
              const off = minus ? valueAt(minus, channel, position, unfolding.positions, layer) : 0;
              out[row * outputs + o] = from - off;
            }
          }
        }
      }
    }
  } finally {
    await sessions.pruned.release();
    await sessions.original.release();
  }
  // A quarter of the samples is held out, at least one; with several positions a sample, never a part of one.
  const heldOut = Math.max(1, Math.floor(calibration.size / 4));
  return { x, y, fitRows: (calibration.size - heldOut) * perSample };
}

/** One value of a sample: `[channels, ...positions]`, or `[...positions, channels]` for dense layers. */
function valueAt(
  values: Float32Array,
  channel: number,
  position: number,
  positions: number,
  layer: LinearLayer,
): number {
  if (layer.channelAxis === 1) return values[channel * positions + position] as number;
  return values[position * (values.length / positions) + channel] as number;
}

async function openBoth(
  original: Model,
  model: Model,
  input: string,
  target: string,
  wanted: readonly string[],
  name: string,
  threads: number,
): Promise<{ original: Session; pruned: Session }> {
  const cut = extractSubgraph(
    model,
    [input],
    wanted.filter((value) => value !== input),
  );
  const pruned = await createSession(cut, { name: `${name}, pruned`, threads });
  try {
    const whole = extractSubgraph(original, [input], [target]);
    return { pruned, original: await createSession(whole, { name, threads }) };
  } catch (error) {
    await pruned.release();
    throw error;
  }
}

async function refitLayer(
  model: Model,
  layer: LinearLayer,
  { x, y, fitRows }: LayerRows,
  products: Products,
  start: number | undefined,
): Promise<{ model: Model; repair: LayerRepair; strength: number }> {
  const groups = x.length;
  const outputs = layer.channels / groups;
  const hasBias = takesBias(layer);
  const first = x[0] as Matrix;
  const inputs = first.columns - (hasBias ? 1 : 0);
  const weight = Float32Array.from(layer.weight);
  const bias = Float32Array.from({ length: layer.channels }, (_, c) => layer.bias?.[c] ?? 0);
  let [before, after, variance, strength, refit] = [0, 0, 0, 0, false];
  for (let g = 0; g < groups; g++) {
    const [xg, yg] = [x[g] as Matrix, y[g] as Matrix];
    const current = weightsOf(layer, g, bias);
    const given = await products.ab(xg, current);
    const residual = { ...yg, data: yg.data.map((value, i) => value - (given.data[i] as number)) };
    const solution = await solveRidge({ x: xg, residual, fitRows, start: strength || start }, products);
    strength = solution.strength;
    before += solution.errorBefore / groups;
    after += solution.errorAfter / groups;
    variance += varianceOf(yg) / groups;
    if (!solution.change) continue;
    refit = true;
    addChange(layer, g, solution.change, weight, bias);
  }
  const scale = variance || 1;
  return {
    strength,
    model: refit ? setWeights(model, layer, weight, hasBias ? bias : undefined) : model,
    repair: {
      layer: layer.name,
      errorBefore: before / scale,
      errorAfter: after / scale,
      rows: first.rows,
      unknowns: first.columns,
      refit,
    },
  };

  /** `[columns + 1, outputs]` of one group, the bias last. */
  function weightsOf(of: LinearLayer, g: number, biases: Float32Array): Matrix {
    const columns = first.columns;
    const data = new Float64Array(columns * outputs);
    for (let o = 0; o < outputs; o++) {
      for (let i = 0; i < inputs; i++) data[i * outputs + o] = of.weight[weightIndex(of, g, o, i)] as number;
      if (hasBias) data[inputs * outputs + o] = biases[g * outputs + o] as number;
    }
    return { rows: columns, columns: outputs, data };
  }

  function addChange(
    of: LinearLayer,
    g: number,
    change: Matrix,
    weights: Float32Array,
    biases: Float32Array,
  ): void {
    for (let o = 0; o < outputs; o++) {
      for (let i = 0; i < inputs; i++) {
        const at = weightIndex(of, g, o, i);
        weights[at] = (weights[at] as number) + (change.data[i * outputs + o] as number);
      }
      const c = g * outputs + o;
      if (hasBias) biases[c] = (biases[c] as number) + (change.data[inputs * outputs + o] as number);
    }
  }

  /** Where the weight from unknown `i` to output `o` of a group stands. */
  function weightIndex(of: LinearLayer, g: number, o: number, i: number): number {
    return of.kind === 'dense' ? i * of.channels + o : (g * outputs + o) * inputs + i;
  }
}

/** Whether the layer's operator has a place for a bias. */
function takesBias(layer: LinearLayer): boolean {
  return layer.node.op !== 'MatMul';
}

function varianceOf({ data, rows, columns }: Matrix): number {
  let total = 0;
  for (let c = 0; c < columns; c++) {
    let [sum, square] = [0, 0];
    for (let r = 0; r < rows; r++) {
      const value = data[r * columns + c] as number;
      sum += value;
      square += value * value;
    }
    total += square / rows - (sum / rows) ** 2;
  }
  return total / columns;
}
