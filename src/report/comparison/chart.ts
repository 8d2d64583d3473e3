// Accuracy against multiply-accumulates as inline SVG: one line per criterion, named at its end.
// The remaining work decreases to the right: all lines start at the unpruned network and end at the smallest one.

import { largest, smallest } from '../../util/index.ts';
import { type Html, html } from '../html/html.ts';
import { px } from '../svg/pixels.ts';
import { linearScale, type Scale, spread } from '../svg/scale.ts';
import type { ReportData, ReportRow } from './report-data.ts';
import {
  chanceOf,
  deviationOf,
  type Measure,
  ofClasses,
  percent,
  ratioText,
  type Series,
  titleOf,
  wordOf,
} from './series.ts';

const WIDTH = 960;
const MARGIN = { top: 34, bottom: 56, left: 64 };
const LABEL_GAP = 19;
/** Number of colours that the style sheet defines for XAI criteria. */
export const COLOURS = 8;

const CIRCLE = 'M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0Z';
const MARKERS = [
  CIRCLE,
  'M-4,-4H4V4H-4Z',
  'M0,-5.2L5,3.8H-5Z',
  'M0,-5.8L5.8,0L0,5.8L-5.8,0Z',
  'M0,5.2L5,-3.8H-5Z',
  'M-1.8,-5.4H1.8V-1.8H5.4V1.8H1.8V5.4H-1.8V1.8H-5.4V-1.8H-1.8Z',
  'M0,-5.4L5.1,-1.7L3.2,4.4H-3.2L-5.1,-1.7Z',
];
const DASHES = ['7 4', '2 3', '9 3 2 3', '12 5', '4 2 1 2', '1 4', '6 2 2 2 2 2'];

/**
 * Draws one chart.
 * @param id unique in the page
 * @param least minimum height of the plot, in pixels
 */
export function chart(
  data: ReportData,
  series: readonly Series[],
  measure: Measure,
  id: string,
  least = 340,
): Html {
  const word = titleOf(data, measure);
  const base = data.base[measure];
  const chance = chanceOf(data, measure);
  const drawn = series
    .map((one) => ({ ...one, rows: one.rows.filter((row) => isFiniteRow(row, measure)) }))
    .filter((one) => one.rows.length > 0);
  const rows = drawn.flatMap((one) => one.rows);
  const levels = [
    { kind: 'unpruned', name: 'unpruned', value: base },
    { kind: 'chance', name: 'one class for all', value: chance ?? Number.NaN },
  ].filter(({ value }) => Number.isFinite(value));
  const height = MARGIN.top + MARGIN.bottom + Math.max(least, (drawn.length + levels.length) * LABEL_GAP);
  const longest = Math.max(largest([...drawn, ...levels].map(({ name }) => name.length)), 0);
  const plot = {
    left: MARGIN.left,
    right: WIDTH - Math.round(longest * 7.4 + 96),
    top: MARGIN.top,
    bottom: height - MARGIN.bottom,
  };
  const values = [...rows.flatMap((row) => limits(row, measure)), ...levels.map(({ value }) => value)];
  const fractions = [1, ...rows.map((row) => row.macsFraction)];
  const x = linearScale(smallest(fractions), largest(fractions), plot.right, plot.left);
  const y = linearScale(Math.min(smallest(values), 1), Math.max(largest(values), 0), plot.bottom, plot.top);
  const ends = [
    ...drawn.map((one): LineEnd => {
      const last = one.rows.at(-1) as ReportRow;
      const value = last[measure];
      return { name: one.name, value, style: styleClass(one), x: x(last.macsFraction) + 7, y: y(value) };
    }),
    ...levels.map(({ kind, name, value }) => ({ name, value, style: kind, x: plot.right, y: y(value) })),
  ];
  // Reference criteria are drawn first, below the others.
  const lines = [...drawn].reverse().map((one) => line(data, one, measure, x, y));
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="${id}-title ${id}-desc">
<title id="${id}-title">${word} against multiply-accumulates left</title>
<desc id="${id}-desc">${describe(drawn, measure, base, chance)}</desc>
${axes(word, x, y, plot)}
${levels.map(
  ({ kind, value }) =>
    html`<line class="level ${kind}" x1="${plot.left}" x2="${plot.right}" y1="${px(y(value))}" y2="${px(y(value))}"/>`,
)}
${lines}
${labels(ends, plot)}
</svg>`;
}

/** The end of a line and its label. */
interface LineEnd {
  readonly name: string;
  readonly value: number;
  /** Class names. */
  readonly style: string;
  readonly x: number;
  readonly y: number;
}

interface Plot {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

function axes(word: string, x: Scale, y: Scale, plot: Plot): Html {
  const across = y.ticks.map(
    (tick) => html`<line x1="${plot.left}" x2="${plot.right}" y1="${px(y(tick))}" y2="${px(y(tick))}"/>
<text class="y" x="${plot.left - 10}" y="${px(y(tick))}" dy=".35em">${Math.round(tick * 100)} %</text>`,
  );
  const down = x.ticks.map(
    (tick) => html`<line x1="${px(x(tick))}" x2="${px(x(tick))}" y1="${plot.bottom}" y2="${plot.bottom + 5}"/>
<text class="x" x="${px(x(tick))}" y="${plot.bottom + 21}">${Math.round(tick * 100)} %</text>`,
  );
  return html`<g class="axes">${across}${down}
<text class="name" x="${plot.left - 10}" y="${plot.top - 18}">${word}</text>
<text class="name" x="${plot.right}" y="${plot.bottom + 44}" text-anchor="end">share of multiply-accumulates left (more pruning →)</text></g>`;
}

function line(data: ReportData, series: Series, measure: Measure, x: Scale, y: Scale): Html {
  const base = data.base[measure];
  const points = series.rows.map((row): [number, number] => [x(row.macsFraction), y(row[measure])]);
  const start: [number, number][] = Number.isFinite(base) ? [[x(1), y(base)]] : [];
  const path = [...start, ...points].map(([px1, py1]) => `${px(px1)},${px(py1)}`).join(' ');
  const dashes = series.family === 'reference' && DASHES[series.style % DASHES.length];
  // There are 8 colours and 7 markers, so each pair of them belongs to one criterion.
  const marker = series.family === 'reference' ? CIRCLE : MARKERS[series.style % MARKERS.length];
  const marks = series.rows.map(
    (row, i) =>
      html`<path class="mark" d="${marker}" transform="translate(${px(points[i]?.[0] ?? 0)} ${px(points[i]?.[1] ?? 0)})"><title>${tip(data, series, row)}</title></path>`,
  );
  return html`${spreadOf(series, measure, x, y)}<g class="series ${styleClass(series)}" data-series="${series.name}">
<polyline points="${path}"${dashes && html` stroke-dasharray="${dashes}"`}/>
${marks}</g>`;
}

/** The spread over seeds: a whisker at each mark and a band between the whiskers. */
function spreadOf(series: Series, measure: Measure, x: Scale, y: Scale): Html | undefined {
  const rows = series.rows.filter((row) => deviationOf(row, measure) !== undefined);
  if (rows.length === 0) return undefined;
  const edges = rows.map((row) => {
    const [low, high] = limits(row, measure);
    return { x: px(x(row.macsFraction)), low: px(y(low)), high: px(y(high)) };
  });
  const outline = [
    ...edges.map((edge) => `${edge.x},${edge.high}`),
    ...edges.toReversed().map((edge) => `${edge.x},${edge.low}`),
  ];
  const whiskers = edges.map((edge) => `M${edge.x - 4},${edge.high}h8m-4,0V${edge.low}m-4,0h8`);
  return html`<g class="spread ${styleClass(series)}">
${rows.length > 1 && html`<polygon points="${outline.join(' ')}"/>`}<path d="${whiskers.join('')}"/></g>
`;
}

/** A measure minus and plus its standard deviation, clipped to [0, 1]. */
function limits(row: ReportRow, measure: Measure): [number, number] {
  const deviation = deviationOf(row, measure) ?? 0;
  return [Math.max(0, row[measure] - deviation), Math.min(1, row[measure] + deviation)];
}

/** Labels at the ends of the lines, spread apart; a thin leader joins each to its line. */
function labels(ends: readonly LineEnd[], plot: Plot): Html {
  const half = LABEL_GAP / 2;
  const wanted = ends.map((end) => end.y);
  const heights = spread(wanted, LABEL_GAP, plot.top - half, plot.bottom + half);
  const shown = ends.map((end, i) => {
    const at = px(heights[i] ?? end.y);
    const leader = `${px(end.x)},${px(end.y)} ${plot.right + 4},${px(end.y)} ${plot.right + 26},${at}`;
    return html`<g class="label ${end.style}"><polyline points="${leader}"/>
<text x="${plot.right + 31}" y="${at}" dy=".35em"><tspan class="who">${end.name}</tspan> ${percent(end.value)}</text></g>`;
  });
  return html`<g class="labels">${shown}</g>`;
}

/** Class names that carry a series' colour. */
export function styleClass(series: Series): string {
  return series.family === 'reference' ? 'reference' : `xai c${series.style % COLOURS}`;
}

function tip(data: ReportData, series: Series, row: ReportRow): string {
  const own = `${wordOf(data, 'accuracy')} ${withDeviation(row, 'accuracy')}`;
  return [
    `${series.name}: ${ratioText(row.ratio)} of the channels removed`,
    ofClasses(data) ? `${own}, balanced ${withDeviation(row, 'balancedAccuracy')}` : own,
    `${percent(row.macsFraction)} of the multiply-accumulates left`,
    `agreement with the unpruned network: ${percent(row.agreement)}`,
  ].join('\n');
}

function withDeviation(row: ReportRow, measure: Measure): string {
  const deviation = deviationOf(row, measure);
  return percent(row[measure]) + (deviation === undefined ? '' : ` ± ${(100 * deviation).toFixed(1)}`);
}

function describe(
  series: readonly Series[],
  measure: Measure,
  base: number,
  chance: number | undefined,
): string {
  const ends = series.map(({ name, rows }) => {
    const last = rows.at(-1) as ReportRow;
    return `${name} ${percent(last[measure])} at ${percent(last.macsFraction)}`;
  });
  const level = chance === undefined ? '' : ` Predicting one class for all samples: ${percent(chance)}.`;
  return `Unpruned: ${percent(base)}.${level} With the most channels removed: ${ends.join('; ') || 'nothing measured'}.`;
}

function isFiniteRow(row: ReportRow, measure: Measure): boolean {
  return Number.isFinite(row[measure]) && Number.isFinite(row.macsFraction);
}
