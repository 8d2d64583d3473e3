// One factor and one summand a channel for a network put together from tables, by least squares to what each of its layers
// gives unpruned, and a last layer refit behind them. Fitted in execution order, in closed form, by one run of one graph:
// each layer's correction is computed from its output over all samples and applied before the next layer reads it.
import type { Correction } from '../../bundle/index.ts';
import { type Grouping, type KeptUnits, keptPositions } from '../../channels/index.ts';
import type { Dataset } from '../../data/index.ts';
import { type EngineSettings, type Tensor, tensor } from '../../engine/index.ts';
import { type BatchFirst, batchFirst } from '../../explain/index.ts';
import {
  batchAxes,
  batchAxisOf,
  type Constant,
  cloneModel,
  fixedBatchOf,
  floatConstant,
  GraphBuilder,
  int,
  intConstant,
  ints,
  layerLayout,
  type Model,
  sampleShapes,
  unknownShape,
  upgradeOpset,
  type WeightedLayer,
  weightedLayers,
} from '../../onnx/index.ts';
import type { RepairSamples } from '../../repair/internal.ts';
import {
  assertEnough,
  Products,
  ReferenceActivations,
  type RefitTask,
  samplePositionsOf,
} from '../../repair/internal.ts';
import { must } from '../../util/index.ts';
import { refitClassifierHead } from './classifier-head.ts';
import { LowRankFitter, SHRINKAGE } from './low-rank.ts';
import { affordableSamples, concatenated, runInOneBatch } from './single-batch.ts';

/** Places a layer is compared at, over all samples. */
const PLACES = 4096;

/** Share of the error that changes of low rank may leave, so that they are worth their bytes. */
const WORTH = 0.95;

/** What the corrections of a bundle are fitted from. */
export interface CorrectionOptions extends EngineSettings {
  readonly name: string;
  /** Samples; labels are not read. */
  readonly calibration: Dataset;
  readonly seed: number;
}

/** What was tried for one network, by the mean squared difference of its logits from the unpruned ones, held out. */
export interface FittedCorrection {
  /** The best, or undefined where nothing is better than the tables alone. */
  readonly correction: Correction | undefined;
  readonly errorBefore: number;
  readonly errorAfter: number;
}

/** The unpruned network's outputs at a layer's places. */
interface ReferenceOutputs {
  readonly layer: WeightedLayer;
  readonly positions: Int32Array;
  /** `[samples, channels, places]` of the samples that fit, less its mean; and the mean by channel. */
  readonly centred: Float32Array;
  readonly mean: Float32Array;
}

/** What a layer gives before it is corrected, as it is and with its samples first, and the value that readers take. */
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
      const places = samplePositionsOf(layer, samples, PLACES, options.seed + index);
      // The same positions for all samples, so that one index picks them inside the graph.
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
   * Fits the correction of a network cut to `keep`: of channels or none, each with a last layer refit behind it. Channels
   * of a network that fixes its batch are left as they are: their statistics need all samples in one run.
   */
  async fit(cut: Model, keep: KeptUnits): Promise<FittedCorrection> {
    const positions = keptPositions(this.#parts.grouping, keep);
    const plain = await runInOneBatch(this.#withHeadInput(cut), this.#parts.samples, this.#parts.options);
    const errorBefore = this.#error(plain);
    const { model, layers, feeds } = this.#graph(cut, positions);
    const none = layers.map(({ channels }) => [
      new Float32Array(channels).fill(1),
      new Float32Array(channels),
    ]);
    const tried = [await this.#refitHead(cut, plain, correctionOf(none))];
    if (fixedBatchOf(cut) === undefined) {
      const affine = await runInOneBatch(
        this.#withHeadInput(model),
        this.#parts.samples,
        this.#parts.options,
        feeds,
      );
      const found = layers.map(({ names }, at) =>
        names ? names.map((name) => must(affine.get(name), name)) : (none[at] as Float32Array[]),
      );
      tried.push(await this.#refitHead(cut, affine, correctionOf(found)));
    }
    const best = tried.reduce((a, b) => (b.error < a.error ? b : a));
    const better = best.error < errorBefore;
    return {
      correction: better ? best.correction : undefined,
      errorBefore,
      errorAfter: better ? best.error : errorBefore,
    };
  }

  /**
   * Adds changes of low rank, if they help: better than factors and summands alone, for many times the time and bytes.
   * @param fitted what `fit` found for the same network
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

  /** The correction with the last layer refit on what it reads behind it, if the network has one and it helps. */
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

  /** The cut network with every layer's output corrected from its own statistics. */
  #graph(cut: Model, positions: (value: string) => number[] | undefined) {
    const shapes = sampleShapes(cut);
    const places = batchAxes(cut);
    // The nodes that are added are written in the terms of newer operator sets.
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
        // Bundles list layers that nothing is fitted for, such as products with a constant on the left.
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

  /** Adds one layer's correction; returns the names of its factors and summands, `[channels]`. */
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
    // [samples that fit, channels, places]
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
    // Products with a constant have no place for a summand.
    const shift =
      layer.node.op === 'MatMul'
        ? constant(floatConstant(new Float32Array(c), [1, c, 1]))
        : builder.node('Sub', [wanted, builder.node('Mul', [scale, centre])]);
    const dims = layer.channelAxis === 1 ? [1, c, ...new Array<number>(rank - 2).fill(1)] : [c];
    const wide = (of: string): string => builder.node('Reshape', [of, shape(dims)]);
    const scaled = builder.node('Mul', [raw, wide(scale)]);
    builder.node('Add', [scaled, wide(shift)]);
    const last = must(builder.graph.nodes.at(-1), 'no node');
    last.outputs = [value];
    const list = (of: string): string => builder.node('Reshape', [of, shape([c])]);
    return [list(scale), list(shift)];
  }
}

/** A value with its samples first as `[samples, channels, places]`. */
function channelsSecond(builder: GraphBuilder, { value, shape, channelAxis }: BatchFirst): string {
  const axes = [...shape.keys()].filter((axis) => axis !== 0 && axis !== channelAxis);
  const perm = ints([0, channelAxis, ...axes]);
  const turned = channelAxis === 1 ? value : builder.node('Transpose', [value], { perm });
  const dims = intConstant([0, shape[channelAxis] as number, -1]);
  return builder.node('Reshape', [turned, builder.constant(dims)]);
}

/** `[rows, channels]` of all samples as `[samples, channels, places]` of those that fit, centred. */
function centre(given: Float32Array, samples: number, channels: number, places: number) {
  const mean = new Float32Array(channels);
  const centred = new Float32Array(samples * channels * places);
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (let row = 0; row < samples * places; row++) sum += given[row * channels + c] as number;
    const average = sum / (samples * places);
    mean[c] = average;
    for (let s = 0; s < samples; s++) {
      for (let k = 0; k < places; k++) {
        centred[(s * channels + c) * places + k] =
          (given[(s * places + k) * channels + c] as number) - average;
      }
    }
  }
  return { centred, mean };
}

/** Factors and summands of each layer, one layer after the other. */
function correctionOf(layers: readonly (readonly Float32Array[])[]): Correction {
  const [scale, shift] = [0, 1].map((at) => concatenated(layers.map((layer) => must(layer[at], 'a layer'))));
  return { scale: must(scale, 'factors'), bias: must(shift, 'summands') };
}

function soleOutput(model: Model): string {
  return must(model.graph.outputs[0], 'no output').name;
}

function meanSquare(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2;
  return sum / Math.max(1, a.length);
}
