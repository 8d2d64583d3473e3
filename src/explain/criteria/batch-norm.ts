// The reference criterion that reads batch normalisation, before it is merged.
import { consumers, opOf, scoredLayers } from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';
import type { Criterion } from '../criterion.ts';

export const BN_SCALE: Criterion = {
  name: 'bn-scale',
  family: 'reference',
  summary: 'size of the scale of the batch normalisation behind the layer; needs a model that still has it',
  source: 'Liu et al., ICCV 2017',
  needsSamples: false,
  async score(context) {
    const source = context.unmerged ?? context.model;
    const readers = consumers(source.graph);
    const scales = new Map<string, Float32Array>();
    for (const node of source.graph.nodes) {
      const next = readers.get(node.outputs[0] ?? '')?.[0];
      if (!next || opOf(next) !== 'BatchNormalization') continue;
      const scale = source.graph.constants.get(next.inputs[1] ?? '');
      if (scale?.type === 'float32') scales.set(node.name, scale.data);
    }
    if (scales.size === 0) {
      throw new BedsideError(
        'E_CRITERION',
        `criterion 'bn-scale': ${context.modelName} has no batch normalisation`,
        {
          hint: 'it was merged when the model was exported; choose another criterion, such as l2 or lrp-gamma',
        },
      );
    }
    return scoredLayers(context.model).map(({ name, channels }) => {
      const scale = scales.get(name);
      // A layer without batch normalisation gives no order of its channels, so all get the same score.
      return {
        layer: name,
        scores: Float64Array.from({ length: channels }, (_, c) => Math.abs(scale?.[c] ?? 1)),
      };
    });
  },
};
