// The heatmap of a sample that holds several inputs of a network: one picture for each, under its name and its share of
// the relevance. Inputs that are neither images nor traces are rows of numbers with bars.
import { type Html, html } from '../html/html.ts';
import { hexOf, relevanceColour, relevanceScale, scaled } from '../svg/colour-map.ts';
import type { ExplainedSample } from './explained.ts';
import { INK, MARGIN, type Picture, relevanceText, SOFT, WIDTH } from './frame.ts';

const HEADING = 34;
const GAP = 26;
const ROW = 22;
/** More rows would be a list, and no picture. */
const MOST_ROWS = 24;
const VALUE = MARGIN + 190;
const BARS = { left: MARGIN + 330, right: WIDTH - MARGIN };

/** One of the inputs, as a sample of its own. */
export interface InputSample {
  readonly name: string;
  readonly explained: ExplainedSample;
}

/** A sample's inputs, one after the other, each with its own numbers and relevance. */
export function inputSamples(explained: ExplainedSample): InputSample[] {
  let end = 0;
  return (explained.inputs ?? []).map(({ name, shape }) => {
    const start = end;
    end += shape.reduce((product, size) => product * size, 1);
    const [sample, relevance] = [
      explained.sample.subarray(start, end),
      explained.relevance.subarray(start, end),
    ];
    return { name, explained: { ...explained, inputs: undefined, shape, sample, relevance } };
  });
}

/** Pictures of the inputs below each other. */
export function inputsPicture(
  pictures: readonly { readonly input: InputSample; readonly picture: Picture }[],
): Picture {
  const sizes = pictures.map(({ input }) => absolute(input.explained.relevance));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let y = 0;
  const body = pictures.map(({ input, picture }, i): Html => {
    const top = y;
    y += HEADING + picture.height + GAP;
    const share =
      total > 0
        ? `${((100 * (sizes[i] as number)) / total).toFixed(0)} % of absolute relevance`
        : 'no relevance';
    return html`<text x="${MARGIN}" y="${top + 14}" font-size="16" font-weight="650" fill="${INK}">${input.name}<tspan font-size="13" font-weight="400" fill="${SOFT}" dx="12">${share}, sum ${relevanceText(sum(input.explained.relevance))}</tspan></text>
<g transform="translate(0 ${top + HEADING})">${picture.body}</g>`;
  });
  const scales = pictures.map(({ input, picture }) => `${input.name} ${relevanceText(picture.scale)}`);
  const notes = pictures.flatMap(({ picture }) => picture.notes);
  const scale = Math.max(...pictures.map(({ picture }) => picture.scale));
  return {
    height: y - GAP,
    body: html`${body}`,
    scale,
    notes: [`Each input has its own full colour: ${scales.join(', ')}`, ...notes],
  };
}

/** Numbers, one a row, with their relevance as bars. */
export function valuesPicture({ sample, relevance }: ExplainedSample): Picture {
  const scale = relevanceScale(relevance, 1);
  const count = Math.min(sample.length, MOST_ROWS);
  const middle = (BARS.left + BARS.right) / 2;
  const half = (BARS.right - BARS.left) / 2;
  const rows = Array.from({ length: count }, (_, i): Html => {
    const part = scaled(relevance[i] as number, scale);
    const width = Math.max(0.5, Math.abs(part) * half);
    const x = part < 0 ? middle - width : middle;
    const top = i * ROW;
    return html`<text x="${MARGIN}" y="${top + 13}" font-size="12.5" fill="${SOFT}">value ${i + 1}</text>
<text x="${VALUE}" y="${top + 13}" font-size="13" text-anchor="end">${Number((sample[i] as number).toPrecision(5))}</text>
<rect x="${x}" y="${top + 2}" width="${width}" height="14" fill="${hexOf(relevanceColour(part))}"/>
<text x="${VALUE + 110}" y="${top + 13}" font-size="12.5" text-anchor="end" fill="${SOFT}">${relevanceText(relevance[i] as number)}</text>`;
  });
  const more = sample.length - count;
  const notes = more > 0 ? [`${more} more values are not drawn`] : [];
  const axis = html`<line x1="${middle}" x2="${middle}" y1="0" y2="${count * ROW}" stroke="#b9c0c8"/>`;
  return { height: count * ROW, body: html`${axis}${rows}`, scale, notes };
}

function absolute(values: Float32Array): number {
  return values.reduce((total, value) => total + Math.abs(value), 0);
}

function sum(values: Float32Array): number {
  return values.reduce((total, value) => total + value, 0);
}
