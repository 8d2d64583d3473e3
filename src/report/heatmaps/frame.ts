// The frame around the picture of a heatmap: the question it answers, the sample, the colour scale, the class
// probabilities and the source of the method. The result is one self-contained SVG.

import { largest } from '../../util/index.ts';
import { type Html, html } from '../html/html.ts';
import { hexOf, relevanceColour } from '../svg/colour-map.ts';
import { className, described, type ExplainedSample, predicted, probabilityText } from './explained.ts';

export const WIDTH = 960;
export const MARGIN = 36;
/** Top of the picture, in pixels. */
const TOP = 104;
const LEGEND = { width: 400, height: 14, steps: 80 };
const SHOWN_CLASSES = 6;
/** With longer class names the two sides of the legend take two lines. */
const SHORT_NAME = 8;
const LINE = 22;
/** Length of the bar for probability 1, in pixels. */
const BAR = 110;

export const FONT =
  "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif";
export const INK = '#1b2026';
export const SOFT = '#59626d';
const RED = hexOf(relevanceColour(0.85));
const BLUE = hexOf(relevanceColour(-0.85));

/** The picture inside the frame, drawn from (0, 0), `WIDTH` pixels wide. */
export interface Picture {
  readonly height: number;
  readonly body: Html;
  /** The relevance that has the full colour. */
  readonly scale: number;
  /** Remarks below the picture, in small type. */
  readonly notes: readonly string[];
}

/** Renders the whole SVG. */
export function frame(explained: ExplainedSample, picture: Picture): string {
  const { title, subtitle } = words(explained);
  const { criterion } = explained;
  const classes = shownClasses(explained);
  const legendTop = TOP + picture.height + 30;
  const footTop = legendTop + Math.max(104, 26 + classes.length * LINE) + 18;
  const foot = [`${criterion.name}: ${criterion.summary}`, criterion.source, ...picture.notes];
  const height = footTop + foot.length * 17 + 18;
  const svg = html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" font-family="${FONT}" font-size="14" fill="${INK}">
<title>${title}</title>
<desc>${subtitle}. Red: ${speaks('for', explained)}; blue: ${speaks('against', explained)}. ${foot.join('. ')}.</desc>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="${MARGIN}" y="52" font-size="27" font-weight="650">${title}</text>
<text x="${MARGIN}" y="80" font-size="15" fill="${SOFT}">${subtitle}</text>
<g transform="translate(0 ${TOP})">${picture.body}</g>
<g transform="translate(${MARGIN} ${legendTop})">${legend(explained, picture.scale)}</g>
<g transform="translate(${WIDTH / 2 + 12} ${legendTop})">${probabilities(explained, classes)}</g>
<g font-size="11.5" fill="${SOFT}">${foot.map(
    (text, i) => html`<text x="${MARGIN}" y="${footTop + 17 * i + 12}">${text}</text>`,
  )}</g>
</svg>
`;
  return svg.text;
}

/** The question that the heatmap answers, and the circumstances. */
export function words(explained: ExplainedSample): { readonly title: string; readonly subtitle: string } {
  const { target, label, probabilities: all, index, origin, subject } = explained;
  const from = `sample ${index}${origin === undefined ? '' : `, from ${shortened(origin, 40)}`}`;
  if (subject !== undefined) return { title: `What speaks for ${subject}?`, subtitle: capital(from) };
  const answer = predicted(explained);
  const title = `Why ‘${shortened(className(explained, target), 40)}’? ${probabilityText(all[target] as number)} probability`;
  const parts = [];
  if (label !== undefined) parts.push(`True class: ${described(explained, label)}`);
  const verdict = label === undefined ? '' : answer === label ? ', which is correct' : ', which is wrong';
  const said = label === undefined ? described(explained, answer) : className(explained, answer);
  parts.push(`the network answers ${said}${verdict}`);
  parts.push(from);
  return { title, subtitle: capital(parts.join(' · ')) };
}

/** Relevance with two significant digits. */
export function relevanceText(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return '0';
  const text = String(Number(Math.abs(value).toPrecision(2)));
  return value < 0 ? `−${text}` : text;
}

function speaks(side: 'for' | 'against', explained: ExplainedSample): string {
  const name = explained.subject ? 'it' : `‘${shortened(className(explained, explained.target), 22)}’`;
  if (explained.criterion.meaning === 'contribution') return `speaks ${side} ${name}`;
  return `more signal speaks ${side} ${name}`;
}

function legend(explained: ExplainedSample, scale: number): Html {
  const { width, height, steps } = LEGEND;
  const cell = width / steps;
  const cells = Array.from({ length: steps }, (_, i) => {
    const colour = hexOf(relevanceColour((2 * (i + 0.5)) / steps - 1));
    return html`<rect x="${i * cell}" y="32" width="${cell}" height="${height}" fill="${colour}"/>`;
  });
  // Two lines if the texts do not fit beside each other.
  const fits =
    explained.criterion.meaning === 'contribution' &&
    (explained.subject !== undefined || className(explained, explained.target).length <= SHORT_NAME);
  const sides = html`<text y="${fits ? 22 : 4}" fill="${BLUE}" font-weight="600">◀ ${speaks('against', explained)}</text>
<text x="${width}" y="22" fill="${RED}" font-weight="600" text-anchor="end">${speaks('for', explained)} ▶</text>`;
  return html`${sides}
<g shape-rendering="crispEdges">${cells}</g>
<rect x="0" y="32" width="${width}" height="${height}" fill="none" stroke="#b9c0c8"/>
<g font-size="12" fill="${SOFT}"><text y="63">${relevanceText(-scale)}</text>
<text x="${width / 2}" y="63" text-anchor="middle">0</text>
<text x="${width}" y="63" text-anchor="end">${relevanceText(scale)}</text>
<text y="84" font-size="11.5">Full colour: the 99.5th percentile of absolute relevance, and above.</text>
<text y="101" font-size="11.5">White: no influence.</text></g>`;
}

/** The most probable classes, and always the explained and the true one. */
function shownClasses(explained: ExplainedSample): number[] {
  const { probabilities: all, target, label } = explained;
  const order = Array.from({ length: all.length }, (_, k) => k).sort(
    (a, b) => (all[b] as number) - (all[a] as number),
  );
  const needed = new Set([target, ...(label === undefined ? [] : [label])].filter((k) => k >= 0));
  const rest = order.filter((k) => !needed.has(k)).slice(0, Math.max(0, SHOWN_CLASSES - needed.size));
  return order.filter((k) => needed.has(k) || rest.includes(k));
}

function probabilities(explained: ExplainedSample, classes: readonly number[]): Html {
  const { probabilities: all, target, label } = explained;
  const names = classes.map((k) => shortened(className(explained, k), 14));
  // Text cannot be measured here; eight pixels per letter are enough for nearly all names.
  const left = 8 + 8 * largest(names.map((name) => [...name].length));
  const rows = classes.map((k, i) => {
    const value = all[k] as number;
    const marks = [k === target && 'explained', k === label && 'true class'].filter((mark) => mark !== false);
    const width = Math.max(1, Math.round(10 * BAR * value) / 10 || 0);
    return html`<g transform="translate(0 ${32 + i * LINE})"${k === target && html` font-weight="650"`}>
<text x="${left}" y="11" text-anchor="end">${names[i]}</text>
<rect x="${left + 10}" y="1" width="${BAR}" height="12" rx="2" fill="#edf0f3"/>
<rect x="${left + 10}" y="1" width="${width}" height="12" rx="2" fill="${k === target ? INK : '#8a939d'}"/>
<text x="${left + BAR + 18}" y="11">${probabilityText(value)}</text>
<text x="${left + BAR + 98}" y="11" font-size="12" font-weight="400" fill="${SOFT}">${marks.join(', ')}</text></g>`;
  });
  if (all.length === 0) return html``;
  const more = all.length > classes.length && ` (${classes.length} of ${all.length} classes)`;
  return html`<text y="14" font-weight="600">Probabilities${more}</text>${rows}`;
}

/** Keeps the end of a long text, since paths differ at their ends. */
export function shortened(text: string, most = 48): string {
  const letters = [...text];
  return letters.length <= most ? text : `…${letters.slice(-(most - 1)).join('')}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
