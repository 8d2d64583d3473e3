// One sample of a request, as the network of a bundle reads it.
import type { BundleManifest } from '../../bundle/index.ts';
import { tensor } from '../../engine/index.ts';
import { sizeOf } from '../../onnx/internal.ts';
import type { FloatTensor } from '../../run/index.ts';
import { BedsideError } from '../../util/index.ts';

/** One sample: its values, or a tensor `[1, …]`. */
export type Sample = Float32Array | FloatTensor;

/** The sample as a tensor. @throws BedsideError E_DATA for another number of values */
export function inputOf(sample: Sample, { model }: Pick<BundleManifest, 'model'>): FloatTensor {
  if (!(sample instanceof Float32Array)) return sample;
  const { shape } = model.input;
  const size = sizeOf(shape);
  if (sample.length === size) return tensor(sample, [1, ...shape]) as FloatTensor;
  throw new BedsideError('E_DATA', `the sample has ${sample.length} values, not ${size}`, {
    hint: `the network reads samples of shape ${shape.join(' x ')}`,
  });
}
