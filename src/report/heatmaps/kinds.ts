// Chooses how to draw samples, by the shape that the model reads: as images or as traces.
import type { Dataset } from '../../data/index.ts';
import { BedsideError } from '../../util/index.ts';
import type { BeatGeometry, ExplainedSample } from './explained.ts';
import type { Picture } from './frame.ts';
import { imagePicture } from './image-picture.ts';
import { MOST_TRACES, tracePicture } from './trace-picture.ts';

/** Defaults for beats of unknown rate, such as synthetic ones. The R peak is at sample 100 of 256, or in proportion. */
const RATE = 360;
const PEAK = 100 / 256;

/** Image or trace. */
export type PictureKind = 'image' | 'trace';

/**
 * Chooses how to draw samples of a shape: `[channels, length]`, also with one more axis of 1, as traces, and
 * `[1 or 3, height, width]` as images.
 * @throws BedsideError E_UNSUPPORTED for other shapes
 */
export function pictureKind(shape: readonly number[], name: string): PictureKind {
  const [channels = 0, height = 0, width = 0] = shape;
  const isFlat = shape.length === 2 || (shape.length === 3 && Math.min(height, width) === 1);
  if (isFlat && channels >= 1 && channels <= MOST_TRACES && Math.max(height, width) > 1) return 'trace';
  if (shape.length === 3 && !isFlat && (channels === 1 || channels === 3)) return 'image';
  throw new BedsideError(
    'E_UNSUPPORTED',
    `${name} reads samples of [${shape.join(', ')}], which heatmaps do not show`,
    {
      hint:
        `heatmaps show [1 or 3, height, width] as images and [channels, length] of at most ${MOST_TRACES} channels as ` +
        'traces; for other shapes use --per-sample --out scores.npz',
    },
  );
}

/** The position of the R peak in windows that are cut around it; undefined for other data. */
export function beatGeometry({
  kind,
  sampleShape,
  rate = RATE,
  peak,
}: Pick<Dataset, 'kind' | 'sampleShape' | 'rate' | 'peak'>): BeatGeometry | undefined {
  if ((kind !== 'wfdb' && kind !== 'synthetic') || peak === null) return undefined;
  return { rate, peak: peak ?? Math.round(PEAK * (sampleShape.at(-1) ?? 0)) };
}

/** Draws a sample. */
export async function pictureOf(kind: PictureKind, explained: ExplainedSample): Promise<Picture> {
  return kind === 'image' ? await imagePicture(explained) : tracePicture(explained);
}
