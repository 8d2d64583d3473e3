// Chooses how to draw samples, by the shape that the model reads: as images or as traces.
import type { Dataset } from '../../data/index.ts';
import { areRecordings } from '../../data/internal.ts';
import { BedsideError } from '../../util/index.ts';
import type { BeatGeometry, ExplainedSample } from './explained.ts';
import type { Picture } from './frame.ts';
import { imagePicture } from './image-picture.ts';
import { inputSamples, inputsPicture, valuesPicture } from './inputs-picture.ts';
import { MOST_TRACES, tracePicture } from './trace-picture.ts';

/** Defaults for beats of unknown rate, such as synthetic ones. The R peak is at sample 100 of 256, or in proportion. */
const RATE = 360;
const PEAK = 100 / 256;

/** Image or trace, or a picture for each of several inputs. */
export type PictureKind = 'image' | 'trace' | 'inputs';

/**
 * Chooses how to draw samples of a shape: `[channels, length]`, also with one more axis of 1, as traces, and
 * `[1 or 3, height, width]` as images; of several inputs each as it is.
 * @throws BedsideError E_UNSUPPORTED for other shapes
 */
export function pictureKind(
  shape: readonly number[],
  name: string,
  inputs?: ExplainedSample['inputs'],
): PictureKind {
  if (inputs) return 'inputs';
  const kind = kindOfShape(shape);
  if (kind) return kind;
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

function kindOfShape(shape: readonly number[]): 'image' | 'trace' | undefined {
  const [channels = 0, height = 0, width = 0] = shape;
  const isFlat = shape.length === 2 || (shape.length === 3 && Math.min(height, width) === 1);
  if (isFlat && channels >= 1 && channels <= MOST_TRACES && Math.max(height, width) > 1) return 'trace';
  if (shape.length === 3 && !isFlat && (channels === 1 || channels === 3)) return 'image';
  return undefined;
}

/** The position of the R peak in windows that are cut around it; undefined for other data. */
export function beatGeometry({
  kind,
  sampleShape,
  rate = RATE,
  peak,
}: Pick<Dataset, 'kind' | 'sampleShape' | 'rate' | 'peak'>): BeatGeometry | undefined {
  if ((!areRecordings({ kind, rate }) && kind !== 'synthetic') || peak === null) return undefined;
  return { rate, peak: peak ?? Math.round(PEAK * (sampleShape.at(-1) ?? 0)) };
}

/** Draws a sample. */
export async function pictureOf(kind: PictureKind, explained: ExplainedSample): Promise<Picture> {
  if (kind === 'inputs') return await pictureOfInputs(explained);
  return kind === 'image' ? await imagePicture(explained) : tracePicture(explained);
}

/** A picture for each input: an image, a trace, or a list of values. */
async function pictureOfInputs(explained: ExplainedSample): Promise<Picture> {
  const pictures = [];
  for (const input of inputSamples(explained)) {
    const kind = kindOfShape(input.explained.shape);
    const picture = kind ? await pictureOf(kind, input.explained) : valuesPicture(input.explained);
    pictures.push({ input, picture });
  }
  return inputsPicture(pictures);
}
