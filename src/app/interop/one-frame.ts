// One frame of a multi-frame image as the network reads it: prepared here by the code that reads `--data`, whoever answers.
import type { Bundle } from '../../bundle/index.ts';
import { sizeOf } from '../../onnx/internal.ts';
import { BedsideError, formatBytes } from '../../util/index.ts';
import { type PostedSamples, postedSamples } from '../posted-samples.ts';
import { type FrameChoice, IMAGE_BOUNDS, IMAGE_NAME } from './answerer.ts';

/** Bytes that the prepared frames of one image may take. */
const MOST_BYTES = 2 ** 30;

/** The sample of an image, or of one of its frames. */
export interface PreparedImage extends Pick<PostedSamples, 'remarks'> {
  readonly sample: Float32Array;
}

/**
 * Prepares an image.
 * @param frame of an image that has several; otherwise the image has one
 * @throws BedsideError as `postedSamples`; E_TOO_LARGE for more frames than memory should hold; E_DATA where frames are missing
 */
export async function preparedImage(
  bundle: Bundle,
  image: Uint8Array,
  frame: FrameChoice | undefined,
): Promise<PreparedImage> {
  const size = sizeOf(bundle.manifest.model.input.shape);
  const { index = 0, of = 1 } = frame ?? {};
  if (4 * size * of > MOST_BYTES) {
    throw new BedsideError(
      'E_TOO_LARGE',
      `${of} frames of ${IMAGE_NAME} take ${formatBytes(4 * size * of)} as the network reads them`,
      {
        hint: `at most ${formatBytes(MOST_BYTES)} are prepared; split the object into parts`,
      },
    );
  }
  const { samples, remarks } = await postedSamples(bundle, { bytes: image, name: IMAGE_NAME }, IMAGE_BOUNDS);
  if (samples.size !== of) {
    throw new BedsideError('E_DATA', `${IMAGE_NAME} makes ${samples.size} samples, not ${of}`);
  }
  return { sample: new Float32Array(samples.samples.subarray(index * size, (index + 1) * size)), remarks };
}
