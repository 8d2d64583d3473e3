// The heatmap of an image as plain pixels: beside each other what the network read, and its relevance over it.
import { type Rgb, relevanceScale, scaled } from '../svg/colour-map.ts';
import type { ExplainedSample } from './explained.ts';
import { overlaid, summedOverChannels, visible } from './image-picture.ts';

/** Pixels of three bytes, row after row. */
export interface PlainPicture {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** @param explained an image `[1 or 3, height, width]`; relevance is summed over channels */
export function relevanceOverlay(
  explained: Pick<ExplainedSample, 'shape' | 'sample' | 'relevance'>,
): PlainPicture {
  const [channels = 1, height = 1, width = 1] = explained.shape;
  const relevance = summedOverChannels(explained.relevance, channels);
  const scale = relevanceScale(relevance);
  const { colours } = visible(explained.sample, channels);
  const rgb = new Uint8Array(3 * 2 * width * height);
  const put = (x: number, y: number, colour: Rgb): void => rgb.set(colour, 3 * (y * 2 * width + x));
  for (const [i, colour] of colours.entries()) {
    const [x, y] = [i % width, Math.floor(i / width)];
    put(x, y, colour);
    put(width + x, y, overlaid(colour, scaled(relevance[i] ?? 0, scale)));
  }
  return { width: 2 * width, height, rgb };
}
