// Runs an attribution over calibration samples, batch by batch, so that memory stays bounded.
import { type PackedInput, packedInputs, wholePositions } from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';
import { type Random, rowRange } from '../../util/internal.ts';
import type { CalibrationSet, CriterionContext } from '../criterion.ts';
import { fillSample, heldReference, holdPositions } from './input-parts.ts';
import { type Attribution, AttributionPass, type PassResult } from './pass.ts';
import type { ReadoutKind } from './readouts.ts';
import type { ReferenceKind, SamplingPath } from './sampling-path.ts';
import { largest, type Starts, startsOf } from './starts.ts';

/** The definition of an attribution, apart from model and samples. */
export interface AttributionSpec {
  readonly attribution: Attribution;
  readonly readout: ReadoutKind;
  /** Explain the target's score (default), or the loss against it. */
  readonly start?: 'target' | 'loss';
  /** The reference of DeepLIFT and of paths; default zeros. */
  readonly reference?: ReferenceKind;
  /** Several inputs for each sample. */
  readonly points?: SamplingPath;
  /** How heatmaps show the attribution of the input; default as it is. */
  readonly input?: 'times-input' | 'times-difference';
}

/** One batch of per-sample attributions. */
export interface AttributionBatch {
  /** Index of the first sample, and number of samples. */
  readonly first: number;
  readonly count: number;
  /** For each layer in execution order: `[count, channels]`, signed where the attribution is. */
  readonly layers: PassResult['layers'];
  /** The class that each sample was explained for; -1 where it is not one class. */
  readonly targets: Int32Array;
  /** `[count, ...]`; with a sampling path, one row for each of its points. */
  readonly logits: Float32Array;
  /** `[count, ...sampleShape]`, when requested. */
  readonly input: Float32Array | undefined;
}

/** An attribution opened for a model and calibration samples. It must be released after use. */
export class Attributor {
  readonly #pass: AttributionPass;
  readonly #context: CriterionContext;
  readonly #spec: AttributionSpec;
  readonly #starts: Starts | undefined;
  readonly #references: References;

  private constructor(
    pass: AttributionPass,
    context: CriterionContext,
    spec: AttributionSpec,
    starts: Starts | undefined,
  ) {
    this.#pass = pass;
    this.#context = context;
    this.#spec = spec;
    this.#starts = starts;
    this.#references = referencesOf(context.calibration, spec.reference ?? 'zero', context.random);
  }

  /** @throws BedsideError E_UNSUPPORTED when an operator has no rule, E_ENGINE when the engine refuses the graph */
  static async create(
    context: CriterionContext,
    spec: AttributionSpec,
    options: { readonly wantInput?: boolean } = {},
  ): Promise<Attributor> {
    assertBatchFits(context, spec);
    const starts = await startsOf(context, {
      loss: spec.start === 'loss',
      points: spec.points !== undefined,
    });
    const pass = await AttributionPass.create(context.model, {
      attribution: spec.attribution,
      readout: spec.readout,
      start: starts === undefined ? 'predicted' : spec.start === 'loss' ? 'loss' : 'given',
      form: context.calibration.form,
      threads: context.threads,
      modelName: context.modelName,
      wantInput: options.wantInput ?? false,
    });
    return new Attributor(pass, context, spec, starts);
  }

  /** Samples of one run, so that a run has no more inputs than the context's batch (but at least one sample). */
  get step(): number {
    return stepOf(this.#context, this.#spec);
  }

  /**
   * Attributes `count` samples from index `first`.
   * @throws BedsideError E_DATA_FIT for a label outside the classes
   */
  async run(first: number, count: number): Promise<AttributionBatch> {
    const { calibration, random } = this.#context;
    const { points } = this.#spec;
    const samples = rows(calibration, first, count);
    const held = wholePositions(this.#context.model);
    const reference = heldReference(this.#references(count), samples, held, count);
    const inputs = points
      ? spread(points, samples, reference, random, { inputs: packedInputs(this.#context.model), count })
      : samples;
    const size = samples.length / count;
    if (points) holdPositions(inputs, samples, held, { size, perSample: points.count });
    const perSample = points?.count ?? 1;
    const dims = [count * perSample, ...calibration.sampleShape];
    const result = await this.#pass.run(
      inputs,
      dims,
      this.#starts?.values(first, count, perSample),
      reference,
    );
    return {
      first,
      count,
      layers: result.layers,
      targets: this.#starts
        ? this.#starts.targets(first, count)
        : largest(result.logits, result.logits.length / count),
      logits: result.logits,
      input: result.input && inputAttribution(this.#spec, result.input, inputs, reference, count),
    };
  }

  /** Frees the engine's memory. */
  async release(): Promise<void> {
    await this.#pass.release();
  }
}

/**
 * Attributes every calibration sample.
 * @param visit called once for each batch, in order
 * @throws BedsideError as `Attributor`
 */
export async function attribute(
  context: CriterionContext,
  spec: AttributionSpec,
  visit: (batch: AttributionBatch) => void,
  options: { readonly wantInput?: boolean } = {},
): Promise<void> {
  const { count: total } = context.calibration;
  const attributor = await Attributor.create(context, spec, options);
  try {
    for (let first = 0; first < total; first += attributor.step) {
      const count = Math.min(attributor.step, total - first);
      visit(await attributor.run(first, count));
      context.onProgress?.(first + count, total);
    }
  } finally {
    await attributor.release();
  }
}

function stepOf({ batch }: CriterionContext, { points }: AttributionSpec): number {
  return Math.max(1, Math.floor(batch / (points?.count ?? 1)));
}

/** A model that fixes its batch can only run the points of whole samples, so they must fill the batch. */
function assertBatchFits(context: CriterionContext, spec: AttributionSpec): void {
  const fixed = context.model.graph.inputs[0]?.dims?.[0];
  if (typeof fixed !== 'number' || !spec.points || stepOf(context, spec) * spec.points.count === fixed)
    return;
  throw new BedsideError(
    'E_UNSUPPORTED',
    `${context.modelName} fixes a batch of ${fixed}, which ${spec.points.count} inputs for each sample do not fill`,
    {
      hint: 'export the model with a free batch axis, or choose a criterion of one input a sample, such as taylor',
    },
  );
}

/** The references of a batch of the given size: one row for all samples, or one row for each. */
type References = (count: number) => Float32Array;

function referencesOf(calibration: CalibrationSet, kind: ReferenceKind, random: Random): References {
  const size = calibration.samples.length / Math.max(1, calibration.count);
  if (kind === 'sample') {
    return (count) => {
      const result = new Float32Array(count * size);
      for (let i = 0; i < count; i++) {
        result.set(rows(calibration, random.integer(calibration.count), 1), i * size);
      }
      return result;
    };
  }
  const common = new Float32Array(size);
  if (kind === 'mean') {
    calibration.samples.forEach((value, i) => {
      common[i % size] = (common[i % size] as number) + value / calibration.count;
    });
  }
  return () => common;
}

function rows(calibration: CalibrationSet, first: number, count: number): Float32Array {
  return rowRange(calibration.samples, calibration.count, first, count);
}

function spread(
  points: SamplingPath,
  samples: Float32Array,
  reference: Float32Array,
  random: Random,
  { inputs, count }: { readonly inputs: readonly PackedInput[] | undefined; readonly count: number },
): Float32Array {
  const size = samples.length / count;
  const result = new Float32Array(samples.length * points.count);
  for (let i = 0; i < count; i++) {
    const from = reference.length === size ? reference : rowRange(reference, count, i);
    fillSample(points, [rowRange(samples, count, i), from], inputs, random, rowRange(result, count, i));
  }
  return result;
}

function inputAttribution(
  spec: AttributionSpec,
  arrived: Float32Array,
  inputs: Float32Array,
  reference: Float32Array,
  count: number,
): Float32Array {
  const { points } = spec;
  if (points) {
    const parts = Array.from({ length: count }, (_, i) =>
      points.combine(rowRange(inputs, count, i), rowRange(arrived, count, i)),
    );
    const result = new Float32Array(arrived.length / points.count);
    parts.forEach((part, i) => {
      result.set(part, i * part.length);
    });
    return result;
  }
  if (spec.input === undefined) return arrived;
  const differences = spec.input === 'times-difference';
  return arrived.map((value, i) => {
    const from = differences ? (reference[i % reference.length] as number) : 0;
    return value * ((inputs[i] as number) - from);
  });
}
