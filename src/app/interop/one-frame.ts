// One frame of a multi-frame image as the network reads it: prepared here by the code that reads `--data`, whoever answers.
import type { Bundle } from '../../bundle/index.ts';
import { BedsideError } from '../../util/index.ts';
import { type PostedSamples, postedSamples } from '../samples/posted-samples.ts';
import { type FrameChoice, IMAGE_BOUNDS, IMAGE_NAME } from './answerer.ts';

/** The sample of an image, or of one of its frames. */
export interface PreparedImage extends Pick<PostedSamples, 'remarks'> {
  readonly sample: Float32Array;
}

/**
 * Prepares an image.
 * @param frame of an image that has several, which alone is decoded; otherwise the image has one
 * @throws BedsideError as `postedSamples`; E_DATA where the frame is missing, or an image has several and none was chosen
 */
export async function preparedImage(
  bundle: Bundle,
  image: Uint8Array,
  frame: FrameChoice | undefined,
): Promise<PreparedImage> {
  const file = { bytes: image, name: IMAGE_NAME };
  const { samples, remarks } = await postedSamples(bundle, file, IMAGE_BOUNDS, frame?.index);
  if (samples.size !== 1) {
    throw new BedsideError('E_DATA', `${IMAGE_NAME} makes ${samples.size} samples, not 1`, {
      hint: 'choose one of its frames',
    });
  }
  return { sample: samples.samples, remarks };
}
