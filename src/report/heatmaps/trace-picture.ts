// The heatmap of a trace: the line and, more faintly, its background in the colours of relevance, as with a highlighter,
// and the relevance itself as bars below. Time runs in seconds from the R peak if that is known, with the fine and coarse
// lines of ECG paper (0.04 and 0.2 s).
import { type Html, html } from '../html/html.ts';
import { hexOf, relevanceColour, relevanceScale, scaled } from '../svg/colour-map.ts';
import { px } from '../svg/pixels.ts';
import type { ExplainedSample } from './explained.ts';
import { INK, MARGIN, type Picture, relevanceText, SOFT, WIDTH } from './frame.ts';

/** The most channels that are drawn one below the other. */
export const MOST_TRACES = 16;
/** Steps of colour on each side of zero; neighbours with the same step become one shape. */
const LEVELS = 24;
/** The most columns; more would be narrower than a pixel. */
const MOST_COLUMNS = 850;

const PLOT = { left: MARGIN + 44, right: WIDTH - MARGIN, top: 24 };
const BARS = { gap: 36, height: 76 };
const GRID = { coarse: '#d5dbe1', fine: '#eceff2' };

/** Draws `[channels, length]`, one channel below the other. */
export function tracePicture(explained: ExplainedSample): Picture {
  const [channels = 1] = explained.shape;
  const length = explained.sample.length / channels;
  const scale = relevanceScale(explained.relevance);
  const height = channels === 1 ? 270 : Math.max(90, 400 / channels);
  const step = height + (channels === 1 ? 0 : 14);
  const time = timeAxis(length, explained.beat);
  const end = PLOT.top + step * (channels - 1) + height;
  const traces = Array.from({ length: channels }, (_, c) => {
    const part = (values: Float32Array) => values.subarray(c * length, (c + 1) * length);
    const top = PLOT.top + c * step;
    const drawn = trace(part(explained.sample), part(explained.relevance), scale, time, { top, height });
    if (channels === 1) return drawn;
    return html`${drawn}<text x="${PLOT.right}" y="${top - 4}" font-size="11.5" fill="${SOFT}" text-anchor="end">channel ${c + 1}</text>`;
  });
  const unit = explained.beat ? 'standard deviations' : 'input value';
  const bars = channels === 1 && bar(explained.relevance, scale, time, end + BARS.gap);
  const bottom = channels === 1 ? end + BARS.gap + BARS.height : end;
  const body = html`<text x="${MARGIN}" y="12" font-size="12.5" fill="${SOFT}">${unit}</text>
${traces}
${peak(explained, time, bottom)}
${bars}
${timeLabels(time, bottom)}`;
  return { height: bottom + 40, body, scale, notes: [] };
}

/** Maps sample positions to pixels, with ticks. */
interface TimeAxis {
  readonly length: number;
  /** The pixel of a position, in samples; sample i covers [i, i + 1). */
  x(position: number): number;
  readonly coarse: readonly { readonly at: number; readonly text: string }[];
  readonly fine: readonly number[];
  readonly name: string;
}

function timeAxis(length: number, beat: ExplainedSample['beat']): TimeAxis {
  const x = (position: number): number => PLOT.left + (position / length) * (PLOT.right - PLOT.left);
  if (!beat) {
    const step = roundStep(length / 8);
    const count = Math.floor((length - 1) / step) + 1;
    const coarse = Array.from({ length: count }, (_, i) => ({ at: i * step + 0.5, text: String(i * step) }));
    return { length, x, coarse, fine: [], name: 'sample' };
  }
  const zero = beat.peak + 0.5;
  const ticks = (step: number): number[] => {
    const first = Math.ceil(-zero / beat.rate / step);
    const last = Math.floor((length - zero) / beat.rate / step);
    return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  };
  const position = (seconds: number): number => zero + seconds * beat.rate;
  // At unusual rates ECG paper would have too many or too few lines.
  const seconds = length / beat.rate;
  const step = seconds >= 0.4 && seconds <= 4 ? 0.2 : roundStep(seconds / 8);
  return {
    length,
    x,
    coarse: ticks(step).map((second) => ({
      at: position(second),
      text: String(Number(second.toPrecision(3))).replace('-', '−'),
    })),
    fine: ticks(step / 5).map(position),
    name: 'seconds from the R peak',
  };
}

function trace(
  sample: Float32Array,
  relevance: Float32Array,
  scale: number,
  time: TimeAxis,
  place: { readonly top: number; readonly height: number },
): Html {
  const { top, height } = place;
  const bottom = top + height;
  const range = valueRange(sample);
  const y = (value: number): number =>
    bottom - ((clamp(value, range.low, range.high) - range.low) / (range.high - range.low)) * height;
  const levels = levelsOf(relevance, scale);
  const [x0, x1] = [PLOT.left, PLOT.right];
  const ground = runs(pooled(levels)).filter(({ level }) => level !== 0);
  const columns = Math.min(levels.length, MOST_COLUMNS);
  const width = (x1 - x0) / columns;
  const points = Array.from(sample, (value, i) => `${px(time.x(i + 0.5))},${px(y(value))}`);
  const coloured = runs(levels).filter(({ level }) => level !== 0);
  // Strong relevance is drawn last, on top.
  coloured.sort((a, b) => Math.abs(a.level) - Math.abs(b.level));
  const segments = coloured.map(({ from, to, level }) => {
    const path = [
      ...(from > 0 ? [midpoint(sample, from - 1, time, y)] : []),
      ...points.slice(from, to),
      ...(to < sample.length ? [midpoint(sample, to - 1, time, y)] : []),
    ];
    return html`<polyline points="${path.join(' ')}" stroke="${colourOf(level)}"/>`;
  });
  const ticks = height >= 150 ? range.ticks : range.ticks.filter((_, i) => i % 2 === 0);
  return html`<g fill-opacity=".32" shape-rendering="crispEdges">${ground.map(
    ({ from, to, level }) =>
      html`<rect x="${px(x0 + from * width)}" y="${top}" width="${px((to - from) * width)}" height="${height}" fill="${colourOf(level)}"/>`,
  )}</g>
<g stroke="${GRID.fine}" style="mix-blend-mode:multiply">${time.fine.map((at) => html`<line x1="${px(time.x(at))}" x2="${px(time.x(at))}" y1="${top}" y2="${bottom}"/>`)}</g>
<g stroke="${GRID.coarse}" style="mix-blend-mode:multiply">${time.coarse.map(({ at }) => html`<line x1="${px(time.x(at))}" x2="${px(time.x(at))}" y1="${top}" y2="${bottom}"/>`)}
${ticks.map((tick) => html`<line x1="${x0}" x2="${x1}" y1="${px(y(tick))}" y2="${px(y(tick))}"/>`)}</g>
<g font-size="12" fill="${SOFT}" text-anchor="end">${ticks.map(
    (tick) => html`<text x="${x0 - 8}" y="${px(y(tick) + 4)}">${String(tick).replace('-', '−')}</text>`,
  )}</g>
<g fill="none" stroke-linejoin="round"><g stroke-width="8">${segments}</g>
<polyline points="${points.join(' ')}" stroke="${INK}" stroke-width="1.7"/></g>
<rect x="${x0}" y="${top}" width="${x1 - x0}" height="${height}" fill="none" stroke="#b9c0c8"/>`;
}

/** Relevance as bars up and down. */
function bar(relevance: Float32Array, scale: number, time: TimeAxis, top: number): Html {
  const middle = top + BARS.height / 2;
  const half = BARS.height / 2 - 2;
  const columns = Math.min(relevance.length, MOST_COLUMNS);
  const width = (PLOT.right - PLOT.left) / columns;
  const values = pooled(Float64Array.from(relevance, (value) => clamp(scaled(value, scale), -1, 1)));
  const rects = Array.from(values, (value, i) => {
    const height = Math.abs(value) * half;
    if (height < 0.15) return undefined;
    return html`<rect x="${px(PLOT.left + i * width)}" y="${px(value > 0 ? middle - height : middle)}" width="${px(Math.max(0.8, width * 0.86))}" height="${px(height)}" fill="${hexOf(relevanceColour(Math.sign(value) * Math.max(0.45, Math.abs(value))))}"/>`;
  });
  return html`<g stroke="${GRID.coarse}">${time.coarse.map(({ at }) => html`<line x1="${px(time.x(at))}" x2="${px(time.x(at))}" y1="${top}" y2="${top + BARS.height}"/>`)}</g>
${rects}
<line x1="${PLOT.left}" x2="${PLOT.right}" y1="${middle}" y2="${middle}" stroke="#8a939d"/>
<g font-size="12" fill="${SOFT}" text-anchor="end"><text x="${PLOT.left - 8}" y="${top + 9}">${relevanceText(scale)}</text>
<text x="${PLOT.left - 8}" y="${middle + 4}">0</text>
<text x="${PLOT.left - 8}" y="${top + BARS.height}">${relevanceText(-scale)}</text></g>
<text x="${MARGIN}" y="${top - 7}" font-size="12.5" fill="${SOFT}">relevance</text>`;
}

function peak({ beat }: ExplainedSample, time: TimeAxis, bottom: number): Html | undefined {
  if (!beat) return undefined;
  const x = px(time.x(beat.peak + 0.5));
  return html`<line x1="${x}" x2="${x}" y1="${PLOT.top - 6}" y2="${bottom}" stroke="${INK}" stroke-dasharray="2 3"/>
<text x="${x}" y="${PLOT.top - 11}" font-size="12.5" font-weight="600" text-anchor="middle">R peak</text>`;
}

function timeLabels({ coarse, x, name }: TimeAxis, bottom: number): Html {
  return html`<g font-size="12" fill="${SOFT}" text-anchor="middle">${coarse.map(
    ({ at, text }) => html`<text x="${px(x(at))}" y="${bottom + 17}">${text}</text>`,
  )}
<text x="${(PLOT.left + PLOT.right) / 2}" y="${bottom + 36}" font-size="12.5">${name}</text></g>`;
}

/** Quantises each value to a step of colour from -LEVELS to LEVELS. */
function levelsOf(values: Float32Array, scale: number): Float64Array {
  return Float64Array.from(values, (value) => Math.round(clamp(scaled(value, scale), -1, 1) * LEVELS) || 0);
}

function colourOf(level: number): string {
  return hexOf(relevanceColour(level / LEVELS));
}

/** Reduces to at most MOST_COLUMNS values: the value furthest from zero of each bin. */
export function pooled(values: Float64Array, most = MOST_COLUMNS): Float64Array {
  if (values.length <= most) return values;
  const result = new Float64Array(most);
  values.forEach((value, i) => {
    const bin = Math.floor((i * most) / values.length);
    if (Math.abs(value) > Math.abs(result[bin] as number)) result[bin] = value;
  });
  return result;
}

/** Runs of equal levels as `[from, to)`. */
export function runs(levels: ArrayLike<number>): { from: number; to: number; level: number }[] {
  const found: { from: number; to: number; level: number }[] = [];
  for (let i = 0; i < levels.length; i++) {
    const level = levels[i] as number;
    const last = found.at(-1);
    if (last && last.level === level) last.to = i + 1;
    else found.push({ from: i, to: i + 1, level });
  }
  return found;
}

/** The range of round numbers around the values, with its ticks. */
function valueRange(values: Float32Array): { low: number; high: number; ticks: number[] } {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  if (!(least <= most)) return { low: -1, high: 1, ticks: [-1, 0, 1] };
  const step = roundStep((most - least || Math.abs(most) || 1) / 5);
  let first = Math.floor(least / step - 0.2);
  let last = Math.ceil(most / step + 0.2);
  if (first === last) [first, last] = [first - 1, last + 1];
  const ticks = Array.from({ length: last - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(6)),
  );
  return { low: first * step, high: last * step, ticks };
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
export function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10) * power;
}

function midpoint(sample: Float32Array, i: number, time: TimeAxis, y: (value: number) => number): string {
  const [a, b] = [y(sample[i] as number), y(sample[i + 1] as number)];
  return `${px(time.x(i + 1))},${px((a + b) / 2)}`;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, Number.isNaN(value) ? 0 : value));
}
