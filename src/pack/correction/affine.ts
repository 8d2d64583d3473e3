// Affine corrections: one scale and one bias for each output channel of a network put together from tables, and a
// refitted classifier head. They are fitted by least squares to the outputs of the unpruned layers, in closed form and
// execution order, by one run of one graph: each layer's correction is computed from its output over all samples, and
// applied before the next layer reads it.
import type { Correction } from '../../bundle/internal.ts';
import type { Grouping, KeptUnits } from '../../channels/index.ts';
import { keptPositions } from '../../channels/internal.ts';
import type { Dataset } from '../../data/index.ts';
import { type Tensor, tensor } from '../../engine/index.ts';
import type { EngineSettings } from '../../engine/internal.ts';
import { type BatchFirst, batchFirst } from '../../explain/internal.ts';
import type { Constant, Model } from '../../onnx/index.ts';
import {
  batchAxes,
  batchAxisOf,
  cloneModel,
  fixedBatchOf,
  floatConstant,
  GraphBuilder,
  int,
  intConstant,
  ints,
  layerLayout,
  sampleShapes,
  unknownShape,
  upgradeOpset,
  type WeightedLayer,
  weightedLayers,
} from '../../onnx/internal.ts';
import {
  assertEnough,
  Products,
  ReferenceActivations,
  type RefitTask,
  type RepairSamples,
  samplePositionsOf,
} from '../../repair/internal.ts';
import { must } from '../../util/index.ts';
import { joinedRows, rowRange } from '../../util/internal.ts';
import { centre } from './centre.ts';
import { refitClassifierHead } from './classifier-head.ts';
import { LowRankFitter, SHRINKAGE } from './low-rank.ts';
import { affordableSamples, runInOneBatch } from './single-batch.ts';

/** Number of positions at which a layer is compared, over all samples. */
const POSITIONS = 4096;

/** Share of the error below which the affine correction is taken without a look at the classifier head alone. */
const PLAIN_GAIN = 0.9;

/** Largest share of the error that a low-rank correction may leave; otherwise it is not worth its bytes. */
const WORTH = 0.95;

/** Samples and settings for fitting corrections. */
export interface CorrectionOptions extends EngineSettings {
  readonly name: string;
  /** Samples; labels are not read. */
  readonly calibration: Dataset;
  readonly seed: number;
}

/** The result of a fit. Errors are mean squared differences of logits from the unpruned ones, on held-out samples. */
export interface FittedCorrection {
  /** The best correction, or undefined where none is better than the tables alone. */
  readonly correction: Correction | undefined;
  readonly errorBefore: number;
  readonly errorAfter: number;
}

/** The unpruned network's outputs at the sample positions of a layer. */
interface ReferenceOutputs {
  readonly layer: WeightedLayer;
  readonly positions: Int32Array;
  /** `[samples, channels, positions]` of the samples that fit, less their mean; and the mean of each channel. */
  readonly centred: Float32Array;
  readonly mean: Float32Array;
}

/** A layer's output before its correction: as computed, with its samples first, and the value that readers take. */
interface Uncorrected {
  readonly raw: string;
  readonly rows: BatchFirst;
  readonly value: string;
  /** Number of axes. */
  readonly rank: number;
}

/** What all variants of a network have in common. */
interface CorrectorParts {
  readonly model: Model;
  readonly grouping: Grouping;
  readonly reference: readonly ReferenceOutputs[];
  readonly samples: RepairSamples;
  /** Name of the logits, and their values in the unpruned network. */
  readonly output: string;
  readonly logits: Float32Array;
  /** The unpruned network's last layer, if that is a dense one that gives the logits. */
  readonly head: WeightedLayer | undefined;
  readonly options: CorrectionOptions;
  readonly products: Products;
}

/** Fits corrections for any number of variants of one network. */
export class AffineCorrector {
  readonly #parts: CorrectorParts;
  #lowRank: LowRankFitter | undefined;

  private constructor(parts: CorrectorParts) {
    this.#parts = parts;
  }

  /**
   * Runs the unpruned network (in the form of `withBiases`) over the samples once.
   * @throws BedsideError E_DATA with fewer than two samples: one must be held out
   */
  static async create(
    model: Model,
    grouping: Grouping,
    options: CorrectionOptions,
  ): Promise<AffineCorrector> {
    assertEnough(options.calibration);
    const samples = affordableSamples(model, options.calibration, options.seed);
    const layers = weightedLayers(model);
    const tasks = layers.map((layer, index): RefitTask => {
      const places = samplePositionsOf(layer, samples, POSITIONS, options.seed + index);
      // All samples share the same positions, so that one index picks them inside the graph.
      const first = places.positions[0] as Int32Array;
      const shared = places.positions.map(() => first);
      return { layer, sampled: { ...places, positions: shared }, values: [layer.output] };
    });
    const reference = await ReferenceActivations.collect(model, tasks, samples, options);
    const outputs = tasks.map(({ layer, sampled }): ReferenceOutputs => {
      const given = reference.valuesAt(layer.name, layer.output);
      const positions = sampled.positions[0] as Int32Array;
      return {
        layer,
        positions,
        ...centre(given, samples.fitSize, layer.channels, positions.length),
      };
    });
    const output = soleOutput(model);
    const logits = must((await runInOneBatch(model, samples, options)).get(output), 'no logits');
    const last = layers.at(-1);
    const head =
      last?.kind === 'dense' && last.output === output && last.inputShape.length === 2 ? last : undefined;
    const products = await Products.create(options.threads);
    return new AffineCorrector({
      model,
      grouping,
      reference: outputs,
      samples,
      output,
      logits,
      head,
      options,
      products,
    });
  }

  /**
   * Fits the correction of a network cut to `keep`. Two variants are tried: an affine correction of all layers with the
   * head refitted behind it, and the classifier head alone, unless the first plainly comes nearer. A network that fixes its batch gets the head alone,
   * since the statistics of channels need all samples in one run.
   */
  async fit(cut: Model, keep: KeptUnits): Promise<FittedCorrection> {
    const positions = keptPositions(this.#parts.grouping, keep);
    const { samples, options } = this.#parts;
    const { model, layers, feeds } = this.#graph(cut, positions);
    const none = layers.map(({ channels }) => [
      new Float32Array(channels).fill(1),
      new Float32Array(channels),
    ]);
    const tried: { correction: Correction; error: number }[] = [];
    if (fixedBatchOf(cut) === undefined) {
      const affine = await runInOneBatch(this.#withHeadInput(model), samples, options, feeds);
      const found = layers.map(({ names }, at) =>
        names ? names.map((name) => must(affine.get(name), name)) : (none[at] as Float32Array[]),
      );
      const corrected = await this.#refitHead(cut, affine, correctionOf(found));
      const errorBefore = await this.#errorOf(cut);
      if (corrected.error < PLAIN_GAIN * errorBefore) {
        return { correction: corrected.correction, errorBefore, errorAfter: corrected.error };
      }
      tried.push(corrected);
    }
    const plain = await runInOneBatch(this.#withHeadInput(cut), samples, options);
    const errorBefore = this.#error(plain);
    tried.push(await this.#refitHead(cut, plain, correctionOf(none)));
    const best = tried.reduce((a, b) => (b.error <= a.error ? b : a));
    const better = best.error < errorBefore;
    return {
      correction: better ? best.correction : undefined,
      errorBefore,
      errorAfter: better ? best.error : errorBefore,
    };
  }

  /** The error of a network without correction; only held-out samples run. */
  async #errorOf(cut: Model): Promise<number> {
    const { samples, size, sampleShape, fitSize } = this.#parts.samples;
    const held = {
      samples: rowRange(samples, size, fitSize, size - fitSize),
      ...{ size: size - fitSize, sampleShape, fitSize: 0 },
    };
    const values = await runInOneBatch(cut, held, this.#parts.options);
    const logits = must(values.get(this.#parts.output), 'no logits');
    return meanSquare(logits, this.#tail(this.#parts.logits));
  }

  /**
   * Adds a low-rank correction if it is better than the affine one alone; it takes many times the time and bytes.
   * @param fitted the result of `fit` for the same network
   */
  async enrich(cut: Model, keep: KeptUnits, fitted: FittedCorrection): Promise<FittedCorrection> {
    this.#lowRank ??= await LowRankFitter.create(
      this.#parts.model,
      this.#parts.grouping,
      this.#parts.samples,
      this.#parts.head?.name,
      this.#parts.options,
    );
    const { model, correction } = await this.#lowRank.fit(cut, keep, this.#parts.products);
    if (!correction.lowRank) return fitted;
    const values = await runInOneBatch(this.#withHeadInput(model), this.#parts.samples, this.#parts.options);
    const found = await this.#refitHead(cut, values, correction);
    return found.error < WORTH * fitted.errorAfter
      ? { ...fitted, correction: found.correction, errorAfter: found.error }
      : fitted;
  }

  /** Frees the engine's memory. */
  async release(): Promise<void> {
    await this.#parts.products.release();
  }

  /** The same correction with the classifier head refitted behind it, if there is a head and that helps. */
  async #refitHead(
    cut: Model,
    values: ReadonlyMap<string, Float32Array>,
    correction: Correction,
  ): Promise<{ correction: Correction; error: number }> {
    const error = this.#error(values);
    if (!this.#parts.head) return { correction, error };
    const layer = must(weightedLayers(cut).at(-1), 'no last layer');
    const read = must(values.get(this.#parts.head.input), this.#parts.head.input);
    const refit = await refitClassifierHead(
      layer,
      read,
      this.#parts.logits,
      this.#parts.samples,
      this.#parts.products,
    );
    if (!refit || !(refit.error < error)) return { correction, error };
    const last = correction.scale.length - layer.channels;
    return {
      error: refit.error,
      correction: {
        ...correction,
        scale: correction.scale.map((value, i) => (i < last ? value : 1)),
        bias: correction.bias.map((value, i) => (i < last ? value : 0)),
        head: refit.head,
      },
    };
  }

  #withHeadInput(model: Model): Model {
    const input = this.#parts.head?.input;
    if (input === undefined || model.graph.outputs.some(({ name }) => name === input)) return model;
    const graph = { ...model.graph, outputs: [...model.graph.outputs] };
    new GraphBuilder(graph).output(input, undefined);
    return { ...model, graph };
  }

  #error(values: ReadonlyMap<string, Float32Array>): number {
    const logits = must(values.get(this.#parts.output), 'no logits');
    return meanSquare(this.#tail(logits), this.#tail(this.#parts.logits));
  }

  #tail(logits: Float32Array): Float32Array {
    const { fitSize, size } = this.#parts.samples;
    return logits.subarray((logits.length / size) * fitSize);
  }

  /** The cut network, with nodes that correct every layer's output from its own statistics. */
  #graph(cut: Model, positions: (value: string) => number[] | undefined) {
    const shapes = sampleShapes(cut);
    const places = batchAxes(cut);
    // The added nodes use newer operator sets.
    const model = cloneModel(upgradeOpset(cut, (value) => shapes.get(value)));
    const builder = new GraphBuilder(model.graph);
    const nodes = model.graph.nodes.splice(0);
    const layers: { channels: number; names?: [string, string] }[] = [];
    const feeds: Record<string, Tensor> = {};
    const byName = new Map(this.#parts.reference.map((answer) => [answer.layer.name, answer]));
    for (const node of nodes) {
      model.graph.nodes.push(node);
      const answer = byName.get(node.name);
      if (!answer) {
        // A bundle also lists layers without a fit, such as products with a constant on the left.
        const layout = layerLayout(model.graph, node, (name) => shapes.get(name));
        if (layout) layers.push({ channels: layout.outChannels });
        continue;
      }
      const value = node.outputs[0] as string;
      const kept = positions(value) ?? Array.from({ length: answer.layer.channels }, (_, c) => c);
      const raw = builder.fresh(`${value}_raw`);
      node.outputs = [raw];
      const shape = shapes.get(value);
      if (!shape) throw unknownShape(cut, value);
      const rows = batchFirst(builder, raw, batchAxisOf(places, value), shape, answer.layer.channelAxis);
      const names = this.#correct(builder, feeds, answer, kept, { raw, rows, value, rank: shape.length });
      layers.push({ channels: kept.length, names });
    }
    for (const name of layers.flatMap(({ names = [] }) => names)) builder.output(name, undefined);
    return { model, layers, feeds };
  }

  /** Adds one layer's correction to the graph; returns the names of its scales and biases, `[channels]`. */
  #correct(
    builder: GraphBuilder,
    feeds: Record<string, Tensor>,
    { layer, positions, centred, mean }: ReferenceOutputs,
    kept: readonly number[],
    { raw, rows: samples, value, rank }: Uncorrected,
  ): [string, string] {
    const { fitSize } = this.#parts.samples;
    const k = positions.length;
    const c = kept.length;
    const constant = (given: Constant): string => builder.constant(given, `${value}_c`);
    const shape = (dims: readonly number[]): string => constant(intConstant(dims));
    const input = builder.input(`${value}_target`, [fitSize, layer.channels, k]);
    feeds[input] = tensor(centred, [fitSize, layer.channels, k]);
    const target =
      c === layer.channels ? input : builder.node('Gather', [input, shape(kept)], { axis: int(1) });
    // [samples that fit, channels, positions]
    const first = builder.node('Slice', [samples.value, shape([0]), shape([fitSize]), shape([0])]);
    const rows = channelsSecond(builder, { ...samples, value: first });
    const picked = builder.node('Gather', [rows, shape([...positions])], { axis: int(2) });
    const count = builder.scalar(1 / (fitSize * k));
    const average = (of: string): string =>
      builder.node('Mul', [builder.node('ReduceSum', [of, shape([0, 2])], { keepdims: int(1) }), count]);
    const centre = average(picked);
    const off = builder.node('Sub', [picked, centre]);
    const variance = average(builder.node('Mul', [off, off]));
    const covariance = average(builder.node('Mul', [off, target]));
    const tiny = builder.scalar(1e-12);
    const pull = builder.node('Add', [builder.node('Mul', [variance, builder.scalar(SHRINKAGE)]), tiny]);
    const scale = builder.node('Div', [
      builder.node('Add', [covariance, pull]),
      builder.node('Add', [variance, pull]),
    ]);
    const wanted = constant(
      floatConstant(
        Float32Array.from(kept, (i) => mean[i] as number),
        [1, c, 1],
      ),
    );
    // A MatMul has no place for a bias.
    const bias =
      layer.node.op === 'MatMul'
        ? constant(floatConstant(new Float32Array(c), [1, c, 1]))
        : builder.node('Sub', [wanted, builder.node('Mul', [scale, centre])]);
    const dims = layer.channelAxis === 1 ? [1, c, ...new Array<number>(rank - 2).fill(1)] : [c];
    const wide = (of: string): string => builder.node('Reshape', [of, shape(dims)]);
    const scaled = builder.node('Mul', [raw, wide(scale)]);
    builder.node('Add', [scaled, wide(bias)]);
    const last = must(builder.graph.nodes.at(-1), 'no node');
    last.outputs = [value];
    const list = (of: string): string => builder.node('Reshape', [of, shape([c])]);
    return [list(scale), list(bias)];
  }
}

/** A value with its samples first, as `[samples, channels, positions]`. */
function channelsSecond(builder: GraphBuilder, { value, shape, channelAxis }: BatchFirst): string {
  const axes = [...shape.keys()].filter((axis) => axis !== 0 && axis !== channelAxis);
  const perm = ints([0, channelAxis, ...axes]);
  const turned = channelAxis === 1 ? value : builder.node('Transpose', [value], { perm });
  const dims = intConstant([0, shape[channelAxis] as number, -1]);
  return builder.node('Reshape', [turned, builder.constant(dims)]);
}

/** The scales and biases of all layers, one layer after the other. */
function correctionOf(layers: readonly (readonly Float32Array[])[]): Correction {
  const [scale, bias] = [0, 1].map((at) => joinedRows(layers.map((layer) => must(layer[at], 'a layer'))));
  return { scale: must(scale, 'scales'), bias: must(bias, 'biases') };
}

function soleOutput(model: Model): string {
  return must(model.graph.outputs[0], 'no output').name;
}

function meanSquare(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2;
  return sum / Math.max(1, a.length);
}
