// The heatmap of an image in three panels: the image, its relevance, and both combined, pixel for pixel.
import { loadOptional } from '../../util/internal.ts';
import { type Html, html } from '../html/html.ts';
import { type Rgb, relevanceColour, relevanceScale, scaled } from '../svg/colour-map.ts';
import { type ExplainedSample, subjectOf } from './explained.ts';
import { MARGIN, type Picture, SOFT, WIDTH } from './frame.ts';

const GAP = 24;
const CAPTION = 24;
const PANEL = (WIDTH - 2 * MARGIN - 2 * GAP) / 3;
/** Enlarges images to at least this size in pixels, because some viewers would smooth smaller ones. */
const SHARP_SIZE = 256;

/** Draws an image `[1 or 3, height, width]`; relevance is summed over channels. */
export async function imagePicture(explained: ExplainedSample): Promise<Picture> {
  const [channels = 1, height = 1, width = 1] = explained.shape;
  const relevance = summedOverChannels(explained.relevance, channels);
  const scale = relevanceScale(relevance);
  const { colours, note } = visible(explained.sample, channels);
  const map = Array.from(relevance, (value) => relevanceColour(scaled(value, scale)));
  const both = colours.map((colour, i) => overlaid(colour, scaled(relevance[i] as number, scale)));
  const size = fitted(width, height);
  const name = subjectOf(explained);
  const panels: [string, readonly Rgb[]][] = [
    ['What the network sees', colours],
    [`What matters for ‘${name}’`, map],
    ['Both', both],
  ];
  const drawn: Html[] = [];
  for (const [i, [caption, pixels]] of panels.entries()) {
    const x = MARGIN + i * (PANEL + GAP) + (PANEL - size.width) / 2;
    const uri = await pngUri(pixels, width, height);
    drawn.push(html`<text x="${x}" y="14" font-size="14" fill="${SOFT}">${caption}</text>
<image x="${x}" y="${CAPTION}" width="${size.width}" height="${size.height}" preserveAspectRatio="none" style="image-rendering:pixelated" href="${uri}"/>
<rect x="${x - 0.5}" y="${CAPTION - 0.5}" width="${size.width + 1}" height="${size.height + 1}" fill="none" stroke="#b9c0c8"/>`);
  }
  const notes = [
    ...(channels > 1 ? [`Relevance summed over ${channels} channels`] : []),
    ...(note === undefined ? [] : [note]),
  ];
  return { height: CAPTION + size.height, body: html`${drawn}`, scale, notes };
}

/** Sums `[channels, positions]` over channels. */
export function summedOverChannels(values: Float32Array, channels: number): Float64Array {
  const positions = values.length / channels;
  const sums = new Float64Array(positions);
  values.forEach((value, i) => {
    sums[i % positions] = (sums[i % positions] as number) + value;
  });
  return sums;
}

/**
 * The colours of a sample. Values in [0, 1] are used directly; other values are stretched to that range, and the note says so.
 * @param channels 1 (grey) or 3 (red, green, blue)
 */
export function visible(
  sample: Float32Array,
  channels: number,
): { colours: Rgb[]; note: string | undefined } {
  const positions = sample.length / channels;
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of sample) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const asIs = low >= 0 && high <= 1;
  const span = high > low ? high - low : 1;
  const level = (value: number): number => {
    const unit = asIs ? value : (value - low) / span;
    return Math.round(255 * Math.min(1, Math.max(0, unit || 0)));
  };
  const colours = Array.from({ length: positions }, (_, i): Rgb => {
    const first = level(sample[i] as number);
    if (channels === 1) return [first, first, first];
    return [first, level(sample[positions + i] as number), level(sample[2 * positions + i] as number)];
  });
  return { colours, note: asIs ? undefined : 'The image is shown with its contrast stretched' };
}

/** Relevance over a lightened grey image; the image shows where relevance is small. */
export function overlaid([red, green, blue]: Rgb, value: number): Rgb {
  const grey = 110 + (145 * (0.299 * red + 0.587 * green + 0.114 * blue)) / 255;
  const weight = 0.9 * Math.min(1, Math.abs(value) || 0) ** 0.6;
  const [r, g, b] = relevanceColour(value);
  const mix = (colour: number): number => Math.round(grey * (1 - weight) + colour * weight);
  return [mix(r), mix(g), mix(b)];
}

/** The largest size that fits a panel. */
function fitted(width: number, height: number): { readonly width: number; readonly height: number } {
  const factor = Math.min(PANEL / width, (1.25 * PANEL) / height);
  return { width: Math.max(2, Math.round(width * factor)), height: Math.max(2, Math.round(height * factor)) };
}

async function pngUri(pixels: readonly Rgb[], width: number, height: number): Promise<string> {
  // Loaded only for images: most commands draw none.
  const { default: sharp } = await loadOptional('drawing heatmaps of images', () => import('sharp'));
  const factor = Math.max(1, Math.ceil(SHARP_SIZE / Math.max(width, height)));
  const raw = Uint8Array.from(pixels.flat());
  const png = await sharp(raw, { raw: { width, height, channels: 3 } })
    .resize(width * factor, height * factor, { kernel: 'nearest', fit: 'fill' })
    .png({ compressionLevel: 9 })
    .toBuffer();
  return `data:image/png;base64,${png.toString('base64')}`;
}
