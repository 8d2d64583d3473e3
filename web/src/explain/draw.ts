// Pictures of inputs with relevance over them. Orange speaks for what is explained, blue against it; in signals also by
// direction: up for it, down against it.
import type { ExplainInput } from '../../../src/gateway/dashboard/wire-explain.ts';
import { fullScale, imageAt, imageSize, tracesOf } from './decode.ts';

/** Red, green, blue. Told apart without red and green too. */
const FOR = [230, 97, 0] as const;
const AGAINST = [43, 108, 196] as const;
const MASKS = [
  [0, 0, 0],
  [142, 68, 173],
  [0, 128, 105],
  [176, 58, 46],
  [40, 90, 200],
] as const;

/** Colours of the page. */
export interface Inks {
  readonly line: string;
  readonly grid: string;
  readonly muted: string;
}

/** What is drawn over an image. */
export interface Overlay {
  readonly relevance: Float32Array | undefined;
  /** The class of each position; 0 for none. */
  readonly mask: { readonly shape: readonly number[]; readonly data: Uint8Array } | undefined;
  /** From 0, the image alone, to 1. */
  readonly strength: number;
}

/** Draws an image in the size of its pixels. */
export function drawImage(
  canvas: HTMLCanvasElement,
  input: ExplainInput,
  values: Float32Array,
  over: Overlay,
): void {
  const { height, width, channels } = imageSize(input);
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  if (!context) return;
  const picture = context.createImageData(width, height);
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const grey = (value: number): number => (255 * (value - low)) / (high - low || 1);
  const sums = over.relevance && channelSums(input, over.relevance);
  const scale = sums ? fullScale(sums) : 1;
  for (let at = 0; at < width * height; at++) {
    const pixel = [0, 1, 2].map((c) => grey(imageAt(input, values, channels === 3 ? c : 0, at)));
    const share = sums ? Math.max(-1, Math.min(1, (sums[at] ?? 0) / scale)) : 0;
    blend(pixel, share < 0 ? AGAINST : FOR, Math.abs(share) * over.strength);
    const label = over.mask ? maskAt(over.mask, at, width, height) : 0;
    if (label > 0) blend(pixel, MASKS[1 + ((label - 1) % (MASKS.length - 1))] ?? FOR, 0.55 * over.strength);
    picture.data.set([...pixel, 255], 4 * at);
  }
  context.putImageData(picture, 0, 0);
}

/** Draws traces with their relevance behind them, as wide as the canvas is shown. */
export function drawSignal(
  canvas: HTMLCanvasElement,
  input: ExplainInput,
  values: Float32Array,
  { relevance, mask, strength }: Overlay,
  inks: Inks,
): void {
  const traces = tracesOf(input, values);
  const bars = relevance && tracesOf(input, relevance);
  const row = traces.length === 1 ? 200 : traces.length <= 3 ? 110 : 72;
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(200, canvas.clientWidth);
  canvas.width = width * ratio;
  canvas.height = (row * traces.length + 22) * ratio;
  const context = canvas.getContext('2d');
  if (!context) return;
  context.scale(ratio, ratio);
  context.font = '11.5px system-ui, sans-serif';
  const scale = relevance ? fullScale(relevance) : 1;
  const left = traces.length > 1 ? 42 : 8;
  const span = width - left - 8;
  for (const [lead, trace] of traces.entries()) {
    const middle = row * (lead + 0.5);
    const half = row / 2 - 6;
    const x = (i: number): number => left + (i / Math.max(1, trace.length - 1)) * span;
    context.strokeStyle = inks.grid;
    context.beginPath();
    context.moveTo(left, middle);
    context.lineTo(width - 8, middle);
    context.stroke();
    for (const [i, value] of (bars?.[lead] ?? []).entries()) {
      const share = Math.max(-1, Math.min(1, value / scale));
      const [r, g, b] = share < 0 ? AGAINST : FOR;
      context.fillStyle = `rgba(${r}, ${g}, ${b}, ${(0.4 + 0.6 * Math.abs(share)) * strength})`;
      const thick = Math.max(1, span / trace.length) + 0.5;
      context.fillRect(
        x(i) - thick / 2,
        share < 0 ? middle : middle - half * share,
        thick,
        half * Math.abs(share),
      );
    }
    if (mask)
      drawBands(context, mask.data, span / trace.length, { x, top: row * lead, height: row, strength });
    drawTrace(context, trace, x, { middle, half, ink: inks.line });
    if (traces.length > 1) {
      context.fillStyle = inks.muted;
      context.fillText((input.leads?.[lead] ?? `${lead + 1}`).slice(0, 5), 4, middle + 4);
    }
  }
  context.fillStyle = inks.muted;
  const length = traces[0]?.length ?? 0;
  const end = input.rate ? `${(length / input.rate).toFixed(2)} s` : `${length} values`;
  context.fillText('0', left, row * traces.length + 14);
  context.fillText(end, width - 8 - context.measureText(end).width, row * traces.length + 14);
}

/** Where a mask lies along a trace: a faint band, and a bar below it. */
function drawBands(
  context: CanvasRenderingContext2D,
  mask: Uint8Array,
  step: number,
  at: {
    readonly x: (i: number) => number;
    readonly top: number;
    readonly height: number;
    readonly strength: number;
  },
): void {
  for (const [i, label] of mask.entries()) {
    if (label === 0) continue;
    const [r, g, b] = MASKS[1 + ((label - 1) % (MASKS.length - 1))] ?? FOR;
    const left = at.x(i) - step / 2;
    context.fillStyle = `rgba(${r}, ${g}, ${b}, ${0.28 * at.strength})`;
    context.fillRect(left, at.top, step + 0.5, at.height);
    context.fillStyle = `rgb(${r}, ${g}, ${b})`;
    context.fillRect(left, at.top + at.height - 5, step + 0.5, 5);
  }
}

function drawTrace(
  context: CanvasRenderingContext2D,
  trace: Float32Array,
  x: (i: number) => number,
  { middle, half, ink }: { readonly middle: number; readonly half: number; readonly ink: string },
): void {
  const low = Math.min(...trace);
  const high = Math.max(...trace);
  const centre = (low + high) / 2;
  context.strokeStyle = ink;
  context.lineWidth = 1.5;
  context.lineJoin = 'round';
  context.beginPath();
  for (const [i, value] of trace.entries()) {
    const y = middle - ((value - centre) / (high - low || 1)) * 2 * half * 0.92;
    if (i === 0) context.moveTo(x(i), y);
    else context.lineTo(x(i), y);
  }
  context.stroke();
}

function channelSums(input: ExplainInput, relevance: Float32Array): Float32Array {
  const { height, width, channels } = imageSize(input);
  return Float32Array.from({ length: height * width }, (_, at) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += imageAt(input, relevance, c, at);
    return sum;
  });
}

function maskAt(
  { shape, data }: NonNullable<Overlay['mask']>,
  at: number,
  width: number,
  height: number,
): number {
  const [rows = 1, columns = 1] = shape.filter((axis) => axis > 1);
  const row = Math.floor((Math.floor(at / width) * rows) / height);
  const column = Math.floor(((at % width) * columns) / width);
  return data[row * columns + column] ?? 0;
}

function blend(pixel: number[], ink: readonly number[], share: number): void {
  for (let c = 0; c < 3; c++) pixel[c] = (1 - share) * (pixel[c] ?? 0) + share * (ink[c] ?? 0);
}
