// Low-rank corrections for a network put together from tables, layer by layer, by reduced-rank regression on the inputs
// of a layer (Izenman, "Reduced-rank regression for the multivariate linear model", J. Multivariate Analysis 5, 1975).
import type { Correction, LowRank } from '../../bundle/internal.ts';
import type { Grouping, KeptUnits } from '../../channels/index.ts';
import { keptPositions } from '../../channels/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { layerLayout, sampleShapes, type WeightedLayer, weightedLayers } from '../../onnx/internal.ts';
import {
  fromMatrices,
  InputRows,
  type LayerTarget,
  leadingDirections,
  type Matrix,
  meanSquare,
  type NetworkRun,
  NetworkWalk,
  orderedTargets,
  type Products,
  ReferenceActivations,
  type RefitTask,
  type RepairSamples,
  type RidgeSolution,
  RowMemory,
  repairable,
  rowsOf,
  samplePositionsOf,
  setWeights,
  solveRidge,
  takesBias,
  targetRows,
  type Visitor,
  weightMatrices,
} from '../../repair/internal.ts';
import { must } from '../../util/index.ts';
import { joinedRows } from '../../util/internal.ts';

/** Pulls a channel's scale toward 1, as a share of the channel's variance. */
export const SHRINKAGE = 0.02;
/**
 * Rank of a correction. A higher rank forgets what the tables learned from many networks
 * (bench/results/reconstruct.md).
 */
export const RANK = 4;
/** Number of positions at which a layer is fitted, over all samples. */
const POSITIONS = 2048;
/** Smallest share of a layer's held-out error that a correction must remove to be worth its bytes. */
const LEAST_GAIN = 0.01;
/** Held-out error over variance below which a layer counts as exact. */
const EXACT = 1e-9;

/** A network corrected layer by layer, and its correction. */
export interface LowRankFit {
  readonly model: Model;
  readonly correction: Correction;
}

/** The fit of one layer. */
interface LayerChange {
  readonly scale: Float32Array;
  readonly bias: Float32Array;
  readonly lowRank: LowRank | undefined;
  readonly weights: readonly Matrix[];
  /** Strength of the ridge, where the next layer starts; 0 where nothing was fitted. */
  readonly strength: number;
}

/** A layer, its sample positions, and the value that it is fitted to. */
interface Task extends RefitTask {
  readonly target: LayerTarget;
}

/** Fits low-rank corrections, behind scales and biases, for any number of variants of one network. */
export class LowRankFitter {
  readonly #grouping: Grouping;
  /** In the order in which they are fitted. */
  readonly #tasks: readonly Task[];
  readonly #reference: ReferenceActivations;
  readonly #samples: RepairSamples;
  readonly #options: NetworkRun;
  readonly #memory = new RowMemory();

  private constructor(
    grouping: Grouping,
    tasks: readonly Task[],
    reference: ReferenceActivations,
    samples: RepairSamples,
    options: NetworkRun,
  ) {
    this.#grouping = grouping;
    this.#tasks = tasks;
    this.#reference = reference;
    this.#samples = samples;
    this.#options = options;
  }

  /**
   * Runs the unpruned network (in the form of `withBiases`) over the samples once.
   * @param without a layer that stays as it is, such as a classifier head that is refitted separately
   */
  static async create(
    model: Model,
    grouping: Grouping,
    samples: RepairSamples,
    without: string | undefined,
    options: NetworkRun & { readonly seed: number },
  ): Promise<LowRankFitter> {
    const shapes = sampleShapes(model);
    // A layer of few outputs behind another one is no transposed convolution.
    const layers = repairable(weightedLayers(model, shapes)).filter(
      ({ name, kind }) => name !== without && kind !== 'conv-transpose',
    );
    const tasks = orderedTargets(model, layers, shapes).map(({ layer, target }, index): Task => {
      const sampled = samplePositionsOf(layer, samples, POSITIONS, options.seed + index);
      return { layer, target, sampled, values: [target.value] };
    });
    const reference = await ReferenceActivations.collect(model, tasks, samples, options);
    return new LowRankFitter(grouping, tasks, reference, samples, options);
  }

  /** Corrects a network cut to `keep` layer by layer; each layer is fitted behind the corrected ones. */
  async fit(cut: Model, keep: KeptUnits, products: Products): Promise<LowRankFit> {
    const positions = keptPositions(this.#grouping, keep);
    const shapes = sampleShapes(cut);
    const layers = new Map(weightedLayers(cut, shapes).map((layer) => [layer.name, layer]));
    const changes = new Map<string, LayerChange>();
    let model = cut;
    let start: number | undefined;
    const steps = this.#tasks.map(({ layer, target: { minus } }) => ({
      values: minus === undefined ? [layer.input] : [layer.input, minus],
      changes: [layer.name],
    }));
    const walk = await NetworkWalk.open(cut, steps, this.#samples, this.#options);
    for (const { layer: whole, target, sampled } of this.#tasks) {
      const layer = must(layers.get(whole.name), `no layer '${whole.name}'`);
      const run = (visit: Visitor): Promise<void> => walk.visit(model, visit);
      const { x, minus } = await InputRows.collect(layer, sampled, target.minus, run, this.#memory);
      const kept = positions(layer.output) ?? Array.from({ length: layer.channels }, (_, c) => c);
      const answers = this.#reference.valuesAt(layer.name, target.value);
      const y = targetRows(answers, whole.channels, kept, x.length, minus);
      const change = await changeOf(layer, x, y, sampled.fitRows, start, products);
      start = change.strength || start;
      changes.set(layer.name, change);
      const { weight, bias } = fromMatrices(layer, change.weights);
      model = setWeights(model, layer, weight, bias);
    }
    const lowRank = new Map<string, LowRank>();
    for (const [name, change] of changes) if (change.lowRank) lowRank.set(name, change.lowRank);
    // A bundle also lists layers without a fit.
    const parts = cut.graph.nodes.flatMap((node): Pick<LayerChange, 'scale' | 'bias'>[] => {
      const layout = layerLayout(cut.graph, node, (name) => shapes.get(name));
      return layout ? [changes.get(node.name) ?? unchanged(layout.outChannels)] : [];
    });
    const correction: Correction = {
      scale: joinedRows(parts.map(({ scale }) => scale)),
      bias: joinedRows(parts.map(({ bias }) => bias)),
      lowRank: lowRank.size > 0 ? lowRank : undefined,
    };
    return { model, correction };
  }
}

function unchanged(channels: number): { scale: Float32Array; bias: Float32Array } {
  return { scale: new Float32Array(channels).fill(1), bias: new Float32Array(channels) };
}

/**
 * Fits one layer: scales and biases first, then a low-rank change of each convolution group for the remaining error.
 */
async function changeOf(
  layer: WeightedLayer,
  x: readonly Matrix[],
  y: readonly Matrix[],
  fitRows: number,
  start: number | undefined,
  products: Products,
): Promise<LayerChange> {
  const hasBias = takesBias(layer);
  const groups = x.length;
  const outputs = layer.channels / groups;
  const unknowns = (x[0] as Matrix).columns - (hasBias ? 1 : 0);
  const rank = Math.min(RANK, outputs, unknowns);
  const { scale, bias } = unchanged(layer.channels);
  const down = new Float32Array(groups * rank * unknowns);
  const up = new Float32Array(layer.channels * rank);
  const held = (of: Matrix): number => meanSquare(rowsOf(of, fitRows, of.rows).data);
  let [strength, changed] = [0, false];
  const weights: Matrix[] = [];
  for (const [g, current] of weightMatrices(layer).entries()) {
    const [xg, yg] = [x[g] as Matrix, y[g] as Matrix];
    const off = await products.minusAb(yg, xg, current);
    const affine = scaleAndBias(yg, off, fitRows, hasBias);
    let [scaled, residual] = [withScaleAndBias(current, affine, hasBias), residualOf(yg, off, affine)];
    if (held(residual) < held(off)) {
      scale.set(affine.scale, g * outputs);
      bias.set(affine.bias, g * outputs);
    } else [scaled, residual] = [current, off];
    const before = held(residual);
    const exact = before <= EXACT * held(yg);
    const solved = exact
      ? undefined
      : await solveRidge({ x: xg, residual, fitRows, start: strength || start }, products);
    strength = solved?.strength || strength;
    const factors = solved?.change && (await reduced(xg, solved, solved.change, rank, products));
    const left = factors && (await heldLeft(xg, residual, fitRows, factors, products));
    if (!left || meanSquare(left.data) > (1 - LEAST_GAIN) * before) {
      weights.push(scaled);
      continue;
    }
    changed = true;
    const change = await products.abt(factors.down, factors.up);
    weights.push({ ...scaled, data: scaled.data.map((w, i) => w + (change.data[i] as number)) });
    up.set(factors.up.data, g * outputs * rank);
    for (let r = 0; r < rank; r++) {
      for (let i = 0; i < unknowns; i++) {
        down[(g * rank + r) * unknowns + i] = factors.down.data[i * rank + r] as number;
      }
    }
    for (let o = 0; o < outputs && hasBias; o++) {
      bias[g * outputs + o] =
        (bias[g * outputs + o] as number) + (change.data[unknowns * outputs + o] as number);
    }
  }
  const rest = layer.kind === 'dense' ? [unknowns] : layer.weightDims.slice(1);
  return {
    scale,
    bias,
    lowRank: changed
      ? {
          down: { dims: [groups * rank, ...rest], data: down },
          up: { dims: [layer.channels, rank], data: up },
        }
      : undefined,
    weights,
    strength,
  };
}

/**
 * Of all changes with the given rank, the one whose effect on the layer's output is closest to that of the full change.
 */
async function reduced(
  x: Matrix,
  { gram }: RidgeSolution,
  change: Matrix,
  rank: number,
  products: Products,
): Promise<{ down: Matrix; up: Matrix }> {
  // The products of all outputs with each other; by the rows' own products where there are fewer rows than unknowns.
  let effect: Matrix;
  if (gram) effect = await products.atb(change, await products.ab(gram, change));
  else {
    const whole = await products.ab(x, change);
    effect = await products.atb(whole, whole);
  }
  const up = leadingDirections(effect, rank);
  return { down: await products.ab(change, up), up };
}

/** What a low-rank change leaves of the residual on held-out rows. */
async function heldLeft(
  x: Matrix,
  residual: Matrix,
  fitRows: number,
  { down, up }: { readonly down: Matrix; readonly up: Matrix },
  products: Products,
): Promise<Matrix> {
  const given = await products.ab(rowsOf(x, fitRows, x.rows), down);
  return products.minusAbt(rowsOf(residual, fitRows, residual.rows), given, up);
}

/** The remaining residual after scales and biases are applied to the layer's output (`y - off`). */
function residualOf(
  y: Matrix,
  off: Matrix,
  { scale, bias }: { scale: Float64Array; bias: Float64Array },
): Matrix {
  const { columns } = y;
  const data = y.data.map((wanted, i) => {
    const c = i % columns;
    return wanted - (wanted - (off.data[i] as number)) * (scale[c] as number) - (bias[c] as number);
  });
  return { ...y, data };
}

/** Scales and biases by least squares, from the layer's output (`y - residual`) toward its target. */
function scaleAndBias(
  y: Matrix,
  residual: Matrix,
  fitRows: number,
  hasBias: boolean,
): { scale: Float64Array; bias: Float64Array } {
  const { columns } = y;
  const scale = new Float64Array(columns).fill(1);
  const bias = new Float64Array(columns);
  for (let c = 0; c < columns; c++) {
    let [meanY, meanX] = [0, 0];
    for (let at = c; at < fitRows * columns; at += columns) {
      meanY += (y.data[at] as number) / fitRows;
      meanX += ((y.data[at] as number) - (residual.data[at] as number)) / fitRows;
    }
    let [variance, covariance] = [0, 0];
    for (let at = c; at < fitRows * columns; at += columns) {
      const wanted = (y.data[at] as number) - meanY;
      const given = (y.data[at] as number) - (residual.data[at] as number) - meanX;
      variance += given * given;
      covariance += given * wanted;
    }
    const pull = SHRINKAGE * variance + Number.MIN_VALUE ** 0.25;
    scale[c] = (covariance + pull) / (variance + pull);
    if (hasBias) bias[c] = meanY - (scale[c] as number) * meanX;
  }
  return { scale, bias };
}

function withScaleAndBias(
  weights: Matrix,
  { scale, bias }: { scale: Float64Array; bias: Float64Array },
  hasBias: boolean,
): Matrix {
  const { rows, columns } = weights;
  const data = weights.data.map((w, i) => w * (scale[i % columns] as number));
  for (let c = 0; c < columns && hasBias; c++) {
    const at = (rows - 1) * columns + c;
    data[at] = (data[at] as number) + (bias[c] as number);
  }
  return { rows, columns, data };
}
