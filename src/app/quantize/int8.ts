// The step that `quantize`, `prune --int8` and `compare --int8` share: a canonical network with eight-bit layers, and what of it
// is told.
import type { Dataset } from '../../data/index.ts';
import { runKernels } from '../../engine/internal.ts';
import { batchFeeds, describeClassifier } from '../../evaluate/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { formOf, typeName, withForm } from '../../onnx/internal.ts';
import {
  DEFAULT_BUDGET,
  type QuantizedModel,
  type QuantizeOptions,
  quantizeModel,
} from '../../quantize/index.ts';
import { type KeptFloat, type LayerQuantization, saturates } from '../../quantize/internal.ts';
import { formatPercent } from '../../util/index.ts';
import type { EngineOptions } from '../options.ts';
import type { Journal, Progress } from '../reporter.ts';

/** What of a network has eight bits, and how it is chosen. */
export interface Int8Options
  extends EngineOptions,
    Pick<QuantizeOptions, 'keepFloat' | 'budget' | 'maxPositions'> {
  readonly seed?: number | undefined;
  /** Whether weights have seven bits; default: where this machine's engine needs that. */
  readonly reducedRange?: boolean | undefined;
  /** Whether weights are refit before they are rounded; default true. */
  readonly repair?: boolean | undefined;
}

/** What became of the layers. */
export interface Int8Facts {
  /** Number of layers with eight-bit weights and activations. */
  readonly layersQuantized: number;
  /** What stays in float32, and why. */
  readonly layersKeptFloat: readonly KeptFloat[];
  /** How each layer was quantised, in execution order. */
  readonly layers: readonly LayerQuantization[];
  /** Squared difference of the scores from those in float32, on held-out calibration samples, over their variance. */
  readonly distance: number;
  /** Whether weights have seven bits instead of eight. */
  readonly reducedRange: boolean;
}

/** The network that is quantised. */
export interface Int8Source {
  readonly name: string;
  readonly model: Model;
  readonly calibration: Dataset;
  /** The unpruned network, where the model was pruned. */
  readonly reference?: QuantizeOptions['reference'];
}

/**
 * Quantises a canonical network. What is guessed or given up is remarked.
 * @throws BedsideError as `quantizeModel`
 */
export async function inInt8(
  { name, model, calibration, reference }: Int8Source,
  options: Int8Options,
  journal: Journal,
  progress: Progress,
): Promise<{ readonly quantized: QuantizedModel; readonly facts: Int8Facts; readonly model: Model }> {
  const reducedRange = options.reducedRange ?? (await saturates());
  if (reducedRange && options.reducedRange === undefined) {
    journal.remark(
      'weights have seven bits: the engine adds two products in 16 bits on this machine, which eight bits would overflow',
    );
  }
  const { budget = DEFAULT_BUDGET } = options;
  const { batch, threads, seed, keepFloat, maxPositions } = options;
  const quantized = await quantizeModel(model, {
    ...{ name, calibration, reference, batch, threads, seed, keepFloat, maxPositions },
    ...{ budget, reducedRange, refit: options.repair },
    onProgress: (step, done, total) => progress.update(done, total, step),
  });
  const { layers, layersKeptFloat, distance } = quantized;
  if (distance > budget) {
    journal.remark(
      `eight bits change the scores of held-out samples by ${formatPercent(distance)} of their variance, above the budget ` +
        `of ${formatPercent(budget)}, whichever layers stay in float32`,
    );
  }
  return {
    quantized,
    facts: { layersQuantized: layers.length, layersKeptFloat, layers, distance, reducedRange },
    model: withoutNumbers(quantized.model, journal),
  };
}

/** What is not integers is float32 when it is written. */
function withoutNumbers(model: Model, journal: Journal): Model {
  const form = formOf(model);
  if (form?.numbers) {
    const type = typeName(form.numbers.elemType);
    journal.remark(`what is not integers is written as float32, not ${type} as it came`);
  }
  return form?.numbers || form?.dequantised ? withForm(model, NO_NUMBERS) : model;
}

/** Takes the note of other numbers out of a model's form. */
const NO_NUMBERS = { numbers: undefined, dequantised: undefined } as unknown as Parameters<
  typeof withForm
>[1];

/** Layers as the engine really runs them. */
export interface KernelCounts {
  /** Nodes that multiply integers, by operator. */
  readonly integer: Readonly<Record<string, number>>;
  /** Layers that the engine computes in float32. */
  readonly float: number;
}

/** What the engine's profile says of a written network, for one sample. */
export async function kernelCounts(model: Model, test: Dataset, name: string): Promise<KernelCounts> {
  const classifier = describeClassifier(model, name);
  const { feeds } = batchFeeds(classifier, test, 0, classifier.fixedBatch ?? 1);
  const integer: Record<string, number> = {};
  let float = 0;
  for (const { op } of await runKernels(model, feeds, { name })) {
    if (INTEGER_LAYERS.has(op)) integer[op] = (integer[op] ?? 0) + 1;
    if (FLOAT_LAYERS.has(op)) float++;
  }
  return { integer, float };
}

/** Operators of ONNX Runtime that are layers. */
const INTEGER_LAYERS: ReadonlySet<string> = new Set([
  ...['ConvInteger', 'MatMulInteger', 'MatMulIntegerToFloat', 'QGemm', 'QLinearConv', 'QLinearMatMul'],
]);
const FLOAT_LAYERS: ReadonlySet<string> = new Set([
  ...[
    'Conv',
    'ConvTranspose',
    'FusedConv',
    'FusedGemm',
    'FusedMatMul',
    'Gemm',
    'GRU',
    'LSTM',
    'MatMul',
    'RNN',
  ],
]);
