// The chart of a bundle's variants: accuracy against remaining multiply-accumulates, as one self-contained SVG file.
import type { BundleManifest } from '../../bundle/index.ts';
import { formatBytes, formatPercent, formatSeconds, largest, smallest } from '../../util/index.ts';
import { type Html, html } from '../html/html.ts';
import { px } from '../svg/pixels.ts';
import { linearScale, type Scale } from '../svg/scale.ts';
import {
  type FrontierRow,
  formatFigure,
  frontierRows,
  levelsText,
  type MeasuredBundle,
  measureWord,
  variantRows,
} from './frontier.ts';

const WIDTH = 760;
const HEIGHT = 460;
const PLOT = { left: 64, right: WIDTH - 28, top: 66, bottom: HEIGHT - 56 };

/**
 * Renders the chart. The remaining work decreases to the right. A dot is a measured variant; it is filled if all groups have
 * the same level. The line joins the frontier, whose whiskers end at the lower bounds. Hovering over a dot shows its numbers.
 */
export function frontierChart(
  manifest: Pick<BundleManifest, 'name' | 'variants' | 'accuracy' | 'provenance'>,
): string {
  const rows = variantRows(manifest);
  const fractions = rows.map(({ macsFraction }) => macsFraction);
  const values = rows.flatMap(({ accuracy, lowerBound }) => [accuracy, lowerBound]);
  const x = linearScale(smallest(fractions), largest(fractions), PLOT.right, PLOT.left);
  const y = linearScale(smallest(values), largest(values), PLOT.bottom, PLOT.top);
  const best = frontierRows(manifest);
  const line = best.map((row) => `${px(x(row.macsFraction))},${px(y(row.accuracy))}`).join(' ');
  const isBest = ({ variant }: FrontierRow): boolean =>
    variant === 0 || best.some((row) => row.variant === variant);
  const word = measureWord(manifest);
  const { criterion, validation } = manifest.provenance;
  const title = `${manifest.name}: ${word} of ${rows.length} measured variants`;
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="title desc">
<title id="title">${title}</title>
<desc id="desc">${describe(rows, word, manifest)}</desc>
<style>${STYLE}</style>
<rect class="page" width="${WIDTH}" height="${HEIGHT}"/>
<text class="title" x="${PLOT.left}" y="26">${title}</text>
<text x="${PLOT.left}" y="45">ranked by ${criterion}; measured on ${validation} validation samples; whiskers end at the 95 % lower bound</text>
${axes(x, y)}
<polyline class="best" points="${line}"/>
${rows.filter((row) => !isUniform(row)).map((row) => mark(row, isBest(row), x, y, manifest))}
${rows.filter(isUniform).map((row) => mark(row, isBest(row), x, y, manifest))}
</svg>
`.text;
}

const STYLE = `
text{font:13px system-ui,sans-serif;fill:#555}.title{font-size:16px;font-weight:600;fill:#222}
.page{fill:#fff}.grid{stroke:#e4e4e4}.tick{stroke:#999}.best{fill:none;stroke:#2a6f97;stroke-width:1.5;stroke-opacity:.5}
.whisker{stroke:#2a6f97;stroke-opacity:.45;fill:none}.dot{stroke:#2a6f97;stroke-width:1.6;fill:#fff}.uniform .dot{fill:#2a6f97}.beaten{opacity:.45}
.y{text-anchor:end}.x{text-anchor:middle}.end{text-anchor:end}
@media (prefers-color-scheme:dark){.page{fill:#181a1b}text{fill:#b5b5b5}.title{fill:#eee}.grid{stroke:#333}
.dot{fill:#181a1b;stroke:#7cc0e8}.uniform .dot{fill:#7cc0e8}.whisker,.best{stroke:#7cc0e8}}
`;

function axes(x: Scale, y: Scale): Html {
  const across = y.ticks.map(
    (
      tick,
    ) => html`<line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${px(y(tick))}" y2="${px(y(tick))}"/>
<text class="y" x="${PLOT.left - 9}" y="${px(y(tick))}" dy=".35em">${Math.round(tick * 100)} %</text>`,
  );
  const down = x.ticks.map(
    (
      tick,
    ) => html`<line class="tick" x1="${px(x(tick))}" x2="${px(x(tick))}" y1="${PLOT.bottom}" y2="${PLOT.bottom + 5}"/>
<text class="x" x="${px(x(tick))}" y="${PLOT.bottom + 20}">${Math.round(tick * 100)} %</text>`,
  );
  return html`<g>${across}${down}
<text class="end" x="${PLOT.right}" y="${PLOT.bottom + 42}">share of multiply-accumulates left (more pruning →)</text></g>`;
}

function isUniform({ levels }: FrontierRow): boolean {
  return levels.every((level) => level === levels[0]);
}

function mark(row: FrontierRow, best: boolean, x: Scale, y: Scale, manifest: MeasuredBundle): Html {
  const [cx, cy, low] = [px(x(row.macsFraction)), px(y(row.accuracy)), px(y(row.lowerBound))];
  const style = `${best ? 'top' : 'beaten'}${isUniform(row) ? ' uniform' : ''}`;
  return html`<g class="${style}">${best && html`<path class="whisker" d="M${cx},${cy}V${low}m-3,0h6"/>`}<circle class="dot" cx="${cx}" cy="${cy}" r="${best ? 4.5 : 3.5}"><title>${tip(row, manifest)}</title></circle></g>
`;
}

function tip(row: FrontierRow, manifest: MeasuredBundle): string {
  return [
    `variant ${row.variant}, levels ${levelsText(row.levels)}`,
    `${formatFigure(manifest, row.accuracy)}, at least ${formatFigure(manifest, row.lowerBound)}; agreement ${formatPercent(row.agreement)}`,
    `${formatPercent(row.macsFraction)} of the multiply-accumulates, ${formatBytes(row.weightBytes)} of weights`,
    ...(row.seconds === undefined ? [] : [`${formatSeconds(row.seconds)} per sample`]),
  ].join('\n');
}

function describe(rows: readonly FrontierRow[], word: string, manifest: MeasuredBundle): string {
  const [first, last] = [rows[0], rows.at(-1)];
  if (!first || !last) return 'Nothing measured.';
  return `${word}: ${formatFigure(manifest, first.accuracy)} unpruned, ${formatFigure(manifest, last.accuracy)} at ${formatPercent(last.macsFraction)} of the multiply-accumulates.`;
}
