// Reference criteria that read the activations of the calibration samples.
import { createSession, tensor } from '../../engine/index.ts';
import {
  cloneModel,
  consumers,
  GraphBuilder,
  inferShapes,
  int,
  type Model,
  type Node,
  opOf,
  upgradeOpset,
} from '../../onnx/index.ts';
import { must } from '../../util/index.ts';
import { soleInput } from '../backward.ts';
import type { Criterion, CriterionContext, LayerScores } from '../criterion.ts';
import { linearLayers } from '../linear.ts';

/** What is averaged over space and samples for each channel. */
type Statistic = 'mean' | 'share-positive';

function activationCriterion(name: string, statistic: Statistic, summary: string, source: string): Criterion {
  return {
    name,
    family: 'reference',
    summary,
    source,
    needsSamples: true,
    score: (context) => channelStatistics(context, statistic),
  };
}

export const ACTIVATION = activationCriterion(
  'activation',
  'mean',
  'mean absolute activation of the channel',
  'Molchanov et al., ICLR 2017',
);
export const APOZ = activationCriterion(
  'apoz',
  'share-positive',
  'one minus the average percentage of zeros after the activation',
  'Hu et al., arXiv:1607.03250, 2016',
);

async function channelStatistics(context: CriterionContext, statistic: Statistic): Promise<LayerScores[]> {
  const { model, layers } = withStatistics(context.model, statistic);
  const input = soleInput(model);
  const { calibration } = context;
  const session = await createSession(model, {
    name: `the activations of ${context.modelName}`,
    threads: context.threads,
  });
  const totals = layers.map(({ name, channels }) => ({ layer: name, scores: new Float64Array(channels) }));
  try {
    const sampleSize = calibration.samples.length / Math.max(1, calibration.count);
    for (let first = 0; first < calibration.count; first += context.batch) {
      const count = Math.min(context.batch, calibration.count - first);
      const samples = calibration.samples.subarray(first * sampleSize, (first + count) * sampleSize);
      const result = await session.run({ [input]: tensor(samples, [count, ...calibration.sampleShape]) });
      layers.forEach(({ output, channels }, i) => {
        const { data } = must(result[output], `no output ${output}`);
        const { scores } = must(totals[i], 'no totals');
        for (let k = 0; k < data.length; k++) {
          scores[k % channels] = (scores[k % channels] as number) + Number(data[k]) / calibration.count;
        }
      });
      context.onProgress?.(first + count, calibration.count);
    }
  } finally {
    await session.release();
  }
  return totals;
}

/** The model with one output `[batch, channels]` a weighted layer: the statistic of its activation over space. */
function withStatistics(model: Model, statistic: Statistic) {
  const shapes = inferShapes(model, 1);
  const upgraded = cloneModel(upgradeOpset(model, (value) => shapes.get(value)));
  const builder = new GraphBuilder(upgraded.graph);
  const readers = consumers(upgraded.graph);
  upgraded.graph.outputs = [];
  const layers = linearLayers(model, shapes).map((layer) => {
    const activated = activationOf(layer.output, readers);
    const value =
      statistic === 'mean'
        ? builder.node('Abs', [activated], {}, 'size')
        : builder.node(
            'Cast',
            [builder.node('Greater', [activated, builder.scalar(0)], {}, 'on')],
            { to: int(1) },
            'on',
          );
    const axes = layer.outputShape
      .map((_, axis) => axis)
      .filter((axis) => axis !== 0 && axis !== layer.channelAxis);
    const total =
      axes.length === 0
        ? builder.node('Identity', [value], {}, 'statistic')
        : builder.node('ReduceSum', [value, builder.ints(axes)], { keepdims: int(0) }, 'statistic');
    const places = axes.reduce((product, axis) => product * (layer.outputShape[axis] as number), 1);
    const output = builder.node('Mul', [total, builder.scalar(1 / places)], {}, 'statistic');
    builder.output(output, ['batch', layer.channels]);
    return { name: layer.name, channels: layer.channels, output };
  });
  return { model: upgraded, layers };
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
]);
