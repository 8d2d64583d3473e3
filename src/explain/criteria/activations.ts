// Reference criteria that read the activations of the calibration samples.
import { createSession, type Tensor, tensor } from '../../engine/index.ts';
import { inferShapes, type Model } from '../../onnx/index.ts';
import {
  type BatchPlace,
  batchAxes,
  batchAxisOf,
  cloneModel,
  consumers,
  GraphBuilder,
  int,
  type Node,
  opOf,
  scoredLayers,
  soleInput,
  upgradeOpset,
} from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { rowRange } from '../../util/internal.ts';
import { trySamples } from '../attribution/try-samples.ts';
import { type BatchFirst, batchFirst } from '../backward/batch-first.ts';
import { layersWithBias } from '../backward/bias.ts';
import type { Criterion, CriterionContext } from '../criterion.ts';

/** The statistic of each channel, averaged over space and samples. */
type Moment = 'plain' | 'absolute' | 'positive' | 'square';

function activationCriterion(
  name: string,
  summary: string,
  source: string,
  moments: readonly Moment[],
  finish: (...means: number[]) => number,
): Criterion {
  return {
    name,
    family: 'reference',
    summary,
    source,
    needsSamples: true,
    async score(context) {
      const layers = scoredLayers(context.model);
      const totals = layers.map(({ channels }) => moments.map(() => new Float64Array(channels)));
      let weight = 0;
      await eachActivation(
        context,
        (builder, activated) => moments.map((moment) => spatialMean(builder, activated, moment)),
        (outputs, sampleWeight) => {
          weight += sampleWeight;
          outputs.forEach((values, l) => {
            values.forEach((value, m) => {
              const sums = must(totals[l]?.[m], 'layers changed between batches');
              for (let c = 0; c < sums.length; c++) {
                sums[c] = (sums[c] as number) + sampleWeight * (value[c] as number);
              }
            });
          });
        },
      );
      return layers.map(({ name: layer, channels }, l) => ({
        layer,
        scores: Float64Array.from({ length: channels }, (_, c) =>
          finish(...moments.map((_moment, m) => (totals[l]?.[m]?.[c] ?? 0) / (weight || 1))),
        ),
      }));
    },
  };
}

export const ACTIVATION = activationCriterion(
  'activation',
  'mean absolute activation of the channel',
  'Molchanov et al., ICLR 2017',
  ['absolute'],
  (mean) => mean,
);
export const ACTIVATION_STD = activationCriterion(
  'activation-std',
  'standard deviation of the activation over samples and space',
  'Polyak and Wolf, IEEE Access 3, 2015',
  ['plain', 'square'],
  (mean, square) => Math.sqrt(Math.max(0, square - mean * mean)),
);
export const APOZ = activationCriterion(
  'apoz',
  'one minus the average percentage of zeros after the activation',
  'Hu et al., arXiv:1607.03250, 2016',
  ['positive'],
  (share) => share,
);

/** Adds the wanted values of a layer's activation `[batch, ...]` to the graph; each has the shape `[batch, ...]`. */
export type ActivationOutputs = (builder: GraphBuilder, activated: BatchFirst) => string[];

/**
 * Runs the model over the calibration samples and calls `visit` once for each sample with the wanted values of every
 * weighted layer's activation (after the activation function, where one follows directly).
 */
export async function eachActivation(
  context: CriterionContext,
  outputsOf: ActivationOutputs,
  visit: (values: readonly (readonly Float32Array[])[], weight: number) => void,
): Promise<void> {
  const places = batchAxes(context.model);
  await trySamples(context.model, places, context.modelName);
  const { model, outputs } = withOutputs(context.model, places, outputsOf);
  const { calibration } = context;
  const input = soleInput(model);
  const session = await createSession(model, {
    spinning: false,
    name: `the activations of ${context.modelName}`,
    threads: context.threads,
  });
  try {
    for (let first = 0; first < calibration.count; first += context.batch) {
      const count = Math.min(context.batch, calibration.count - first);
      const samples = rowRange(calibration.samples, calibration.count, first, count);
      const result = await session.run({ [input]: tensor(samples, [count, ...calibration.sampleShape]) });
      for (let i = 0; i < count; i++) {
        const values = outputs.map((names) =>
          names.map((name) => rowOf(must(result[name], `no output ${name}`), i, count)),
        );
        visit(values, calibration.weights?.[first + i] ?? 1);
      }
      context.onProgress?.(first + count, calibration.count);
    }
  } finally {
    await session.release();
  }
}

function rowOf(value: Tensor, row: number, rows: number): Float32Array {
  const data = must(value.type === 'float32' ? value.data : undefined, 'an activation is not float32');
  return rowRange(data, rows, row);
}

/** The model with the wanted values of every weighted layer as its outputs. */
function withOutputs(
  model: Model,
  places: ReadonlyMap<string, BatchPlace>,
  outputsOf: ActivationOutputs,
): { model: Model; outputs: string[][] } {
  const shapes = inferShapes(model, 1);
  const upgraded = cloneModel(upgradeOpset(model, (value) => shapes.get(value)));
  const builder = new GraphBuilder(upgraded.graph);
  const readers = consumers(upgraded.graph);
  upgraded.graph.outputs = [];
  const outputs = layersWithBias(model, shapes).map((layer) => {
    const place = batchAxisOf(places, layer.output, `what layer '${layer.name}' gives`);
    const activated = activationOf(layer.output, readers);
    const names = outputsOf(
      builder,
      batchFirst(builder, activated, place, layer.outputShape, layer.channelAxis),
    );
    return names.map((name) => {
      const taken = upgraded.graph.outputs.some((output) => output.name === name);
      return builder.output(taken ? builder.node('Identity', [name]) : name, undefined).name;
    });
  });
  return { model: upgraded, outputs };
}

function spatialMean(
  builder: GraphBuilder,
  { value: activated, shape, channelAxis }: BatchFirst,
  moment: Moment,
): string {
  const value = momentOf(builder, activated, moment);
  const axes = shape.map((_, axis) => axis).filter((axis) => axis !== 0 && axis !== channelAxis);
  const total =
    axes.length === 0
      ? value
      : builder.node('ReduceSum', [value, builder.ints(axes)], { keepdims: int(0) }, 'statistic');
  const places = axes.reduce((product, axis) => product * (shape[axis] as number), 1);
  return builder.node('Mul', [total, builder.scalar(1 / places)], {}, 'statistic');
}

function momentOf(builder: GraphBuilder, value: string, moment: Moment): string {
  switch (moment) {
    case 'plain':
      return value;
    case 'absolute':
      return builder.node('Abs', [value], {}, 'size');
    case 'square':
      return builder.node('Mul', [value, value], {}, 'square');
    case 'positive': {
      const on = builder.node('Greater', [value, builder.scalar(0)], {}, 'on');
      return builder.node('Cast', [on], { to: int(1) }, 'on');
    }
  }
}

/** The value after the layer's activation, when one follows directly and alone. */
function activationOf(value: string, readers: ReadonlyMap<string, Node[]>): string {
  const [reader, ...others] = readers.get(value) ?? [];
  if (!reader || others.length > 0) return value;
  return ACTIVATIONS.has(opOf(reader) ?? '') ? (reader.outputs[0] as string) : value;
}

const ACTIVATIONS: ReadonlySet<string> = new Set([
  'Relu',
  'LeakyRelu',
  'PRelu',
  'Clip',
  'Sigmoid',
  'Tanh',
  'HardSigmoid',
  'HardSwish',
  'Elu',
  'Gelu',
  'Celu',
  'Mish',
  'Selu',
  'Softplus',
  'Softsign',
  'Swish',
  'ThresholdedRelu',
]);
