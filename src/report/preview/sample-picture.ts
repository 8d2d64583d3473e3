// One input of one sample, as the network reads it: numbers as brightness, or as traces.
import { loadOptional } from '../../util/internal.ts';
import { html } from '../html/html.ts';
import { px } from '../svg/pixels.ts';

/** One input of one sample. */
export interface PreviewedInput {
  readonly values: Float32Array;
  /** Without the batch axis. */
  readonly shape: readonly number[];
  /** Whether channels or leads are the last axis. */
  readonly isLast: boolean;
  /** Whether it is drawn as an image. */
  readonly isImage: boolean;
}

/** A picture to be written, and what its numbers are. */
export interface SamplePicture {
  readonly ending: 'png' | 'svg';
  readonly content: Uint8Array | string;
  readonly lowest: number;
  readonly highest: number;
}

/** Draws one input. The lowest of its numbers is black or at the bottom, the highest white or at the top. */
export async function samplePicture(input: PreviewedInput): Promise<SamplePicture> {
  let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of input.values) {
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
  }
  const range = { lowest, highest };
  if (input.isImage) return { ending: 'png', content: await imageOf(input, range), ...range };
  return { ending: 'svg', content: tracesOf(input, range), ...range };
}

interface Range {
  readonly lowest: number;
  readonly highest: number;
}

/** Small pictures are made larger by whole numbers, without smoothing. */
const SHOWN = 256;

async function imageOf(
  { values, shape, isLast }: PreviewedInput,
  { lowest, highest }: Range,
): Promise<Uint8Array> {
  const [a = 1, b = 1, c = 1] = shape;
  const [channels, height, width] = isLast ? [c, a, b] : [a, b, c];
  const plane = height * width;
  const scale = 255 / (highest - lowest || 1);
  const pixels = new Uint8Array(plane * channels);
  for (let channel = 0; channel < channels; channel++) {
    for (let i = 0; i < plane; i++) {
      const value = values[isLast ? i * channels + channel : channel * plane + i] ?? 0;
      pixels[i * channels + channel] = Math.round((value - lowest) * scale);
    }
  }
  const { default: sharp } = await loadOptional('drawing samples that are images', () => import('sharp'));
  const times = Math.max(1, Math.floor(SHOWN / Math.max(height, width)));
  return await sharp(pixels, { raw: { width, height, channels: channels as 1 | 3 } })
    .resize(width * times, height * times, { kernel: 'nearest' })
    .png({ compressionLevel: 9 })
    .toBuffer();
}

const WIDTH = 640;
const TRACE = 130;
/** More traces than these tell nothing. */
const MOST_TRACES = 32;
/** At most so many points of a trace; of more, the lowest and the highest of each stretch stay. */
const MOST_POINTS = 1200;

function tracesOf({ values, shape, isLast }: PreviewedInput, range: Range): string {
  const axes = shape.filter((axis) => axis !== 1);
  const own = axes.length === 2 ? (isLast ? axes[1] : axes[0]) : 1;
  const count = own ?? 1;
  const length = values.length / count;
  const rows = Array.from({ length: Math.min(count, MOST_TRACES) }, (_, row) =>
    Float32Array.from({ length }, (__, i) => values[isLast ? i * count + row : row * length + i] ?? 0),
  );
  const height = rows.length * TRACE;
  const lines = rows.map(
    (row, i) =>
      html`<polyline fill="none" stroke="#0067a3" stroke-width="1.2" points="${pointsOf(row, range, i * TRACE)}"/>
`,
  );
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
${lines}</svg>
`.text;
}

function pointsOf(row: Float32Array, { lowest, highest }: Range, top: number): string {
  const scale = (TRACE - 10) / (highest - lowest || 1);
  const step = Math.max(1, Math.ceil((2 * row.length) / MOST_POINTS));
  const points: string[] = [];
  const add = (i: number): void => {
    const x = (i / Math.max(row.length - 1, 1)) * WIDTH;
    points.push(`${px(x)},${px(top + TRACE - 5 - ((row[i] ?? 0) - lowest) * scale)}`);
  };
  for (let start = 0; start < row.length; start += step) {
    let [low, high] = [start, start];
    for (let i = start; i < Math.min(start + step, row.length); i++) {
      if ((row[i] ?? 0) < (row[low] ?? 0)) low = i;
      if ((row[i] ?? 0) > (row[high] ?? 0)) high = i;
    }
    for (const i of low === high ? [low] : [Math.min(low, high), Math.max(low, high)]) add(i);
  }
  return points.join(' ');
}
