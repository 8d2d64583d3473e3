// An attribution pass ready to run: the backward graph in a session of the engine.
import { createSession, type Session, type Tensor, tensor } from '../engine/index.ts';
import { inferShapes, type Model, type OpTable, upgradeOpset } from '../onnx/index.ts';
import { BedsideError, must } from '../util/index.ts';
import { type BackwardGraph, type BackwardRule, buildBackward, type Readout } from './backward.ts';
import { GRADIENT_RULES } from './gradient-rules.ts';
import { type RuleOf, relevanceRules } from './relevance-rules.ts';

/** What flows backwards: relevance by a composite, or the gradient of the chosen logit. */
export type Attribution =
  | { readonly kind: 'relevance'; readonly ruleOf: RuleOf }
  | { readonly kind: 'gradient' };

/** What is read at each weighted layer's output, per sample and channel. */
export type ReadoutKind = 'sum' | 'absolute-sum' | 'times-activation';

/** How a pass is made. */
export interface PassOptions {
  readonly attribution: Attribution;
  /**
   * `sum` over space of what arrives (relevance); `absolute-sum` of it (gradient size); `times-activation`: sum of
   * gradient x activation (Taylor). Default `sum`.
   */
  readonly readout?: ReadoutKind;
  /** Names of weighted layers; all by default. */
  readonly layers?: readonly string[];
  /** Also give what arrives at the input. */
  readonly wantInput?: boolean;
  /** `given`: the caller gives the start per sample; `predicted`: 1 at the largest logit. */
  readonly start: 'given' | 'predicted';
  readonly threads?: number;
  readonly modelName: string;
}

/** The result for a batch. */
export interface PassResult {
  /** `[batch, classes]`. */
  readonly logits: Float32Array;
  /** Per layer in execution order: `[batch, channels]`. */
  readonly layers: readonly {
    readonly name: string;
    readonly channels: number;
    readonly values: Float32Array;
  }[];
  /** `[batch, ...sampleShape]`, when asked for. */
  readonly input: Float32Array | undefined;
}

/** A backward pass loaded into the engine. Release it after use. */
export class AttributionPass {
  readonly graph: BackwardGraph;
  readonly #session: Session;

  private constructor(graph: BackwardGraph, session: Session) {
    this.graph = graph;
    this.#session = session;
  }

  /**
   * Builds and loads the pass for a canonical model.
   * @throws BedsideError E_UNSUPPORTED when an operator has no rule, E_ENGINE when the engine refuses the graph
   */
  static async create(model: Model, options: PassOptions): Promise<AttributionPass> {
    const rules: OpTable<BackwardRule> =
      options.attribution.kind === 'gradient' ? GRADIENT_RULES : relevanceRules(options.attribution.ruleOf);
    const shapes = inferShapes(model, 1);
    const graph = buildBackward(
      upgradeOpset(model, (value) => shapes.get(value)),
      {
        rules,
        readout: READOUTS[options.readout ?? 'sum'],
        ...(options.layers ? { layers: options.layers } : {}),
        wantInput: options.wantInput ?? false,
        start: options.start === 'given' ? 'input' : 'predicted',
      },
    );
    const session = await createSession(graph.model, {
      name: `the backward pass of ${options.modelName}`,
      threads: options.threads ?? 1,
    });
    return new AttributionPass(graph, session);
  }

  /**
   * Runs a batch.
   * @param samples `[batch, ...sampleShape]`
   * @param start `[batch, classes]`: the relevance (or weight) each logit starts with; only with `start: 'given'`
   */
  async run(samples: Float32Array, dims: readonly number[], start?: Float32Array): Promise<PassResult> {
    const { graph } = this;
    const batch = must(dims[0], 'a batch without axes');
    const feeds: Record<string, Tensor> = { [graph.inputName]: tensor(samples, dims) };
    if (graph.startName !== undefined) {
      const given = must(start, 'this pass needs a start');
      feeds[graph.startName] = tensor(given, [batch, given.length / batch]);
    }
    const raw = await this.#session.run(feeds);
    const read = (name: string): Float32Array => {
      const value = must(raw[name], `no output ${name}`);
      if (value.type !== 'float32')
        throw new BedsideError('E_UNSUPPORTED', `output '${name}' is not float32`);
      return value.data;
    };
    return {
      logits: read(graph.logitsName),
      layers: graph.layers.map(({ name, channels, output }) => ({ name, channels, values: read(output) })),
      input: graph.inputRelevanceName === undefined ? undefined : read(graph.inputRelevanceName),
    };
  }

  /** Frees the engine's memory. */
  async release(): Promise<void> {
    await this.#session.release();
  }
}

/**
 * One-hot starts `[labels.length, classes]`.
 * @throws BedsideError E_DATA_FIT for a label that is not one of the classes
 */
export function oneHot(labels: ArrayLike<number>, classes: number): Float32Array {
  const start = new Float32Array(labels.length * classes);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i] as number;
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new BedsideError('E_DATA_FIT', `label ${label} is not one of the model's ${classes} classes`, {
        hint: `labels count from 0 to ${classes - 1}`,
      });
    }
    start[i * classes + label] = 1;
  }
  return start;
}

const READOUTS: Readonly<Record<ReadoutKind, Readout>> = {
  sum: (context, layer, message) => spatialSum(context.builder, layer, message.value),
  'absolute-sum': (context, layer, message) =>
    spatialSum(context.builder, layer, context.builder.node('Abs', [message.value], {}, 'size')),
  'times-activation': (context, layer, message) =>
    spatialSum(
      context.builder,
      layer,
      context.builder.node('Mul', [message.value, layer.output], {}, 'taylor'),
    ),
};

/** Sums all axes but batch and channel. */
function spatialSum(
  builder: Parameters<Readout>[0]['builder'],
  layer: Parameters<Readout>[1],
  value: string,
): string {
  const axes = layer.outputShape
    .map((_, axis) => axis)
    .filter((axis) => axis !== 0 && axis !== layer.channelAxis);
  if (axes.length === 0) return builder.node('Identity', [value], {}, 'channels');
  return builder.node(
    'ReduceSum',
    [value, builder.ints(axes)],
    { keepdims: { type: 'int', value: 0n } },
    'channels',
  );
}
