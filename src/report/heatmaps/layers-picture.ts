// Channel scores as small multiples: one chart per weighted layer, from the highest score to the lowest.
import type { LayerScores } from '../../explain/index.ts';
import { type Html, html } from '../html/html.ts';
import { hexOf, relevanceColour } from '../svg/colour-map.ts';
import { finePx } from '../svg/pixels.ts';
import { FONT, INK, MARGIN, relevanceText, SOFT, shortened, WIDTH } from './frame.ts';

const COLUMNS = 4;
const GAP = 26;
const CELL = { width: (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS, plot: 84, height: 158 };
const TOP = 104;
/** Scores above zero are dark; scores below zero are blue, as in the heatmaps. */
const FILL = { positive: '#4b5561', negative: hexOf(relevanceColour(-0.7)) };

/** Renders the whole SVG. */
export function layersPicture(
  layers: readonly LayerScores[],
  criterion: { readonly name: string; readonly summary: string; readonly source: string },
  samples: number,
): string {
  const rows = Math.ceil(layers.length / COLUMNS);
  const height = TOP + rows * CELL.height + 52;
  const title = 'Which channels matter?';
  const subtitle = `Scores of each layer’s channels over ${samples} samples, from the highest to the lowest. Each layer has its own scale.`;
  const svg = html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" font-family="${FONT}" font-size="13" fill="${INK}">
<title>${title}</title>
<desc>${subtitle} ${layers.map(({ layer, scores }) => `${layer}: ${scores.length} channels, highest ${relevanceText(highest(scores))}`).join('; ')}.</desc>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="${MARGIN}" y="52" font-size="27" font-weight="650">${title}</text>
<text x="${MARGIN}" y="80" font-size="15" fill="${SOFT}">${subtitle}</text>
${layers.map((layer, i) => {
  const x = MARGIN + (i % COLUMNS) * (CELL.width + GAP);
  const y = TOP + Math.floor(i / COLUMNS) * CELL.height;
  return html`<g transform="translate(${x} ${y})">${cell(layer, i)}</g>`;
})}
<g font-size="11.5" fill="${SOFT}"><text x="${MARGIN}" y="${height - 35}">${criterion.name}: ${criterion.summary}</text>
<text x="${MARGIN}" y="${height - 18}">${criterion.source}</text></g>
</svg>
`;
  return svg.text;
}

function cell({ layer, scores }: LayerScores, index: number): Html {
  const sorted = Float64Array.from(scores, (score) => (Number.isFinite(score) ? score : 0))
    .sort()
    .reverse();
  const high = Math.max(0, sorted[0] ?? 0);
  const low = Math.min(0, sorted.at(-1) ?? 0);
  const span = high - low || 1;
  const y = (value: number): number => 26 + ((high - value) / span) * CELL.plot;
  const count = Math.max(1, sorted.length);
  const width = CELL.width / count;
  // Separate bars if there is room for gaps, otherwise one filled outline.
  const bars = sorted.length <= 64;
  const above = sorted.filter((value) => value > 0).length;
  const shape = bars
    ? Array.from(sorted, (value, k) => {
        const [top, bottom] = [y(Math.max(value, 0)), y(Math.min(value, 0))];
        return html`<rect x="${finePx(k * width)}" y="${finePx(top)}" width="${finePx(width * 0.82)}" height="${finePx(Math.max(bottom - top, 0))}" fill="${value < 0 ? FILL.negative : FILL.positive}"/>`;
      })
    : [
        outline(sorted.subarray(0, above), 0, width, y, FILL.positive),
        outline(sorted.subarray(above), above, width, y, FILL.negative),
      ];
  return html`<text y="12" font-weight="600">${index}. ${shortened(layer, 24)}</text>
${shape}
<line x1="0" x2="${CELL.width}" y1="${finePx(y(0))}" y2="${finePx(y(0))}" stroke="#8a939d"/>
<text y="${26 + CELL.plot + 16}" font-size="11.5" fill="${SOFT}">${sorted.length} channels</text>
<text x="${CELL.width}" y="${26 + CELL.plot + 16}" font-size="11.5" fill="${SOFT}" text-anchor="end">highest ${relevanceText(sorted[0] ?? 0)}</text>`;
}

function outline(
  values: Float64Array,
  first: number,
  width: number,
  y: (value: number) => number,
  fill: string,
): Html | undefined {
  if (values.length === 0) return undefined;
  const steps = Array.from(
    values,
    (value, i) => `V${finePx(y(value))}H${finePx((first + i + 1) * width)}`,
  ).join('');
  return html`<path d="M${finePx(first * width)},${finePx(y(0))}${steps}V${finePx(y(0))}Z" fill="${fill}"/>`;
}

function highest(scores: Float64Array): number {
  return scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
}
