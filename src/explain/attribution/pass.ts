// An attribution pass ready to run: the backward graph in a session of the engine.
import { createSession, type Session, type Tensor, tensor } from '../../engine/index.ts';
import { inferShapes, type Model } from '../../onnx/index.ts';
import { batchAxes, type OpTable, upgradeOpset } from '../../onnx/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import { assertFiniteRows, type ScoreForm } from '../../util/internal.ts';
import { type BackwardGraph, buildBackward } from '../backward/backward.ts';
import type { BackwardRule } from '../backward/context.ts';
import { DEEPLIFT_RULES } from '../backward/deeplift-rules.ts';
import { GRADIENT_RULES } from '../backward/gradient-rules.ts';
import { type RuleOf, relevanceRules } from '../lrp/relevance-rules.ts';
import { type ReadoutKind, readoutOf } from './readouts.ts';
import { trySamples } from './try-samples.ts';

/**
 * The propagated quantity: relevance by a composite, the gradient of the explained score, or DeepLIFT's multipliers.
 */
export type Attribution =
  | { readonly kind: 'relevance'; readonly ruleOf: RuleOf }
  | { readonly kind: 'gradient' }
  | { readonly kind: 'deeplift' };

/** Options of a pass. */
export interface PassOptions {
  readonly attribution: Attribution;
  /** The read-out at each weighted layer's output, for each sample and channel; default `sum`. */
  readonly readout?: ReadoutKind;
  /** Names of weighted layers; all by default. */
  readonly layers?: readonly string[];
  /** Also returns the attribution of the input. */
  readonly wantInput?: boolean;
  /**
   * `given`: the caller gives the start of each sample, a weight for each score; `predicted`: 1 at the largest logit;
   * `loss`: the gradient of the task's loss against the targets that the caller gives. Relevance of a single label
   * starts from the weights themselves, that of other tasks from the weighted scores.
   */
  readonly start: 'given' | 'predicted' | 'loss';
  /** What the scores are for; default one of several classes. */
  readonly form?: ScoreForm | undefined;
  readonly threads?: number;
  readonly modelName: string;
}

/** The result for a batch. */
export interface PassResult {
  /** The scores, `[batch, ...]`. */
  readonly logits: Float32Array;
  /** For each layer in execution order: `[batch, channels]` (one row for each sample, where it has several points). */
  readonly layers: readonly {
    readonly name: string;
    readonly channels: number;
    readonly values: Float32Array;
  }[];
  /** `[batch, ...sampleShape]`, when requested. */
  readonly input: Float32Array | undefined;
}

/** A backward pass loaded into the engine. It must be released after use. */
export class AttributionPass {
  readonly graph: BackwardGraph;
  readonly #session: Session;
  readonly #name: string;

  private constructor(graph: BackwardGraph, session: Session, name: string) {
    this.graph = graph;
    this.#session = session;
    this.#name = name;
  }

  /**
   * Builds and loads the pass for a canonical model.
   * @throws BedsideError E_UNSUPPORTED when an operator has no rule, E_ENGINE when the engine refuses the graph
   */
  static async create(model: Model, options: PassOptions): Promise<AttributionPass> {
    const shapes = inferShapes(model, 1);
    const graph = buildBackward(
      upgradeOpset(model, (value) => shapes.get(value)),
      {
        rules: rulesOf(options.attribution),
        readout: readoutOf(options.readout ?? 'sum'),
        ...(options.layers ? { layers: options.layers } : {}),
        wantInput: options.wantInput ?? false,
        start: options.start === 'given' ? givenStart(options) : options.start,
        form: options.form,
        withReference: options.attribution.kind === 'deeplift',
      },
    );
    await trySamples(model, batchAxes(model), options.modelName);
    const session = await createSession(graph.model, {
      name: `the backward pass of ${options.modelName}`,
      threads: options.threads ?? 1,
    });
    return new AttributionPass(graph, session, options.modelName);
  }

  /**
   * Runs a batch.
   * @throws BedsideError E_NOT_FINITE for scores of the classes that are NaN or infinite
   * @param samples `[batch, ...sampleShape]`
   * @param start `[batch, scores]`: the relevance (or weight) that each score starts with; not with `start:
   * 'predicted'`
   * @param reference `[1 or batch, ...sampleShape]`: the reference of DeepLIFT
   */
  async run(
    samples: Float32Array,
    dims: readonly number[],
    start?: Float32Array,
    reference?: Float32Array,
  ): Promise<PassResult> {
    const { graph } = this;
    const batch = must(dims[0], 'a batch without axes');
    const feeds: Record<string, Tensor> = { [graph.inputName]: tensor(samples, dims) };
    if (graph.startName !== undefined) {
      const given = must(start, 'this pass needs a start');
      feeds[graph.startName] = tensor(given, [batch, given.length / batch]);
    }
    if (graph.referenceName !== undefined) {
      const given = must(reference, 'this pass needs a reference');
      const rows = given.length / (samples.length / batch);
      feeds[graph.referenceName] = tensor(given, [rows, ...dims.slice(1)]);
    }
    const raw = await this.#session.run(feeds);
    const read = (name: string): Float32Array => {
      const value = must(raw[name], `no output ${name}`);
      if (value.type !== 'float32')
        throw new BedsideError('E_UNSUPPORTED', `output '${name}' is not float32`);
      return value.data;
    };
    const logits = read(graph.logitsName);
    const given = must(raw[graph.logitsName], 'scores').dims;
    if (given[0] !== batch) {
      throw new BedsideError(
        'E_UNSUPPORTED',
        `output '${graph.logitsName}' is [${given}] for a batch of ${batch}`,
        {
          hint: 'explain works on networks whose first output has one row for each sample: [batch, ...]',
        },
      );
    }
    // Checked here, since the graph itself may have explained the largest of them.
    assertFiniteRows(logits, batch, logits.length / batch, (row) => {
      return `${this.#name}: the scores of sample ${row} of a batch`;
    });
    return {
      logits,
      layers: graph.layers.map(({ name, channels, output }) => ({ name, channels, values: read(output) })),
      input: graph.inputRelevanceName === undefined ? undefined : read(graph.inputRelevanceName),
    };
  }

  /** Frees the engine's memory. */
  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** Relevance of tasks with several scores starts from the scores: weights alone would count all alike. */
function givenStart({ attribution, form }: PassOptions): 'input' | 'times-score' {
  const single = form === undefined || form.task === 'single-label';
  return attribution.kind === 'relevance' && !single ? 'times-score' : 'input';
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

function rulesOf(attribution: Attribution): OpTable<BackwardRule> {
  switch (attribution.kind) {
    case 'relevance':
      return relevanceRules(attribution.ruleOf);
    case 'gradient':
      return GRADIENT_RULES;
    case 'deeplift':
      return DEEPLIFT_RULES;
  }
}
