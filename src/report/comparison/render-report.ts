// A comparison as one HTML page that needs nothing else: no scripts, no requests, readable on paper and in the dark.
import { formatCount } from '../../util/index.ts';
import { Html, type HtmlPart, html } from '../html/html.ts';
import { describeUncounted } from '../uncounted.ts';
import { chart } from './chart.ts';
import type { MixRow, ReportData, ReportHeatmap } from './report-data.ts';
import { isImbalanced, mixSeriesOf, ratioText, type Series, seedsText, seriesOf } from './series.ts';
import { STYLE } from './style.ts';
import { summariseComparison } from './summary.ts';
import { measureTable, recallRatio, recallTable, secondsTable } from './tables.ts';

/**
 * The page as text. Everything in the data is escaped; numbers that were not measured (NaN) become dashes.
 */
export function renderReport(data: ReportData): string {
  const series = seriesOf(data);
  const imbalanced = isImbalanced(data);
  const ratio = recallRatio(data);
  // Pictures come inside the page; without them nothing but style is let in.
  const images = data.heatmaps && data.heatmaps.length > 0 ? '; img-src data:' : '';
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'${images}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="bedside ${data.version}">
<title>${data.title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<header>
<h1>${data.title}</h1>
<p class="lead">${summariseComparison(data)}</p>
</header>
<main>
${imbalanced && charts(data, series, 'balancedAccuracy')}
${charts(data, series, 'accuracy')}
${
  ratio !== undefined &&
  html`<section>
<h2>Recall of each class, ${ratioText(ratio)} of the channels removed</h2>
<p class="note">The share of a class’s test samples that the network answers right. A dash: no samples.</p>
${recallTable(data, series, ratio)}
</section>`
}
${data.mix && data.mix.length > 0 && mixes(data, data.mix)}
${data.heatmaps && data.heatmaps.length > 0 && heatmaps(data.heatmaps)}
${
  Object.keys(data.seconds).length > 0 &&
  html`<section>
<h2>Time to score the channels</h2>
<p class="note">On ${data.data.calibration} calibration samples.</p>
${secondsTable(data, series)}
</section>`
}
<section>
<h2>How this was made</h2>
${facts(data)}
</section>
</main>
</body>
</html>
`;
  return page.text;
}

function charts(data: ReportData, series: readonly Series[], measure: 'accuracy' | 'balancedAccuracy'): Html {
  const seeds = seedsText(data.rows);
  const [title, note] =
    measure === 'accuracy'
      ? ['Accuracy', 'The share of test samples answered right.']
      : [
          'Balanced accuracy',
          'The mean of the classes’ recalls. The classes are uneven, so accuracy alone flatters a network that answers the most frequent one.',
        ];
  return html`<section>
<h2>${title}</h2>
<p class="note">${note} ${series.some((one) => one.family === 'reference') && 'Grey and dashed: reference criteria.'}
Point at a mark for its figures.${seeds !== undefined && ` Means over ${seeds}; whiskers, bands and ± are one standard deviation.`}</p>
<figure>${chart(data, series, measure, measure)}</figure>
<p class="note">Shaded from chance to the unpruned network. Bold: the best of its column, chosen on these same test samples.</p>
${measureTable(data, series, measure)}
</section>`;
}

/** Scores from the local mix of classes against those from other mixes. */
function mixes(data: ReportData, rows: readonly MixRow[]): Html {
  const series = mixSeriesOf(rows);
  const measure = isImbalanced({ ...data, rows }) ? 'balancedAccuracy' : 'accuracy';
  const word = measure === 'accuracy' ? 'Accuracy' : 'Balanced accuracy';
  const seeds = seedsText(rows);
  return html`<section>
<h2>Scores from the local class mix</h2>
<p class="note">${word} on the local test samples, when channels are scored on samples of the local mix of classes, of all
classes alike (grey, uniform), or of the wrong classes (grey, wrong).${
    seeds !== undefined && ` Means over ${seeds}; whiskers, bands and ± are one standard deviation.`
  }</p>
<figure>${chart(data, series, measure, 'mix', 240)}</figure>
${measureTable(data, series, measure)}
</section>`;
}

/** Pictures as images: their styles and names stay apart from the page's, and nothing in them can run. */
function heatmaps(pictures: readonly ReportHeatmap[]): Html {
  return html`<section>
<h2>What the network looks at</h2>
<p class="note">Red speaks for the class named, blue against it.</p>
<div class="pictures">${pictures.map(({ title, svg }) => {
    const uri = `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`;
    return html`<img src="${uri}" alt="${title}">`;
  })}</div>
</section>`;
}

function facts(data: ReportData): Html {
  const reconstruction = new Set(data.rows.map((row) => row.reconstruct));
  const entries: [string, HtmlPart][] = [
    ['Command', html`<code>${data.command}</code>`],
    ['Date', data.date],
    ['bedside', data.version],
    [
      'Model',
      html`${data.model.name}: ${formatCount(data.model.macs)} multiply-accumulates a sample, ${formatCount(data.model.parameters)} parameters`,
    ],
    ...describeUncounted(data.model.uncounted).map((line): [string, HtmlPart] => [
      'Multiply-accumulates',
      line,
    ]),
    ['Model’s SHA-256', html`<code>${data.model.sha256}</code>`],
    [
      'Data',
      html`${data.data.name}: ${data.data.calibration} samples to score channels, ${data.data.test} to test`,
    ],
    ['Data’s SHA-256', html`<code>${data.data.sha256}</code>`],
  ];
  if (reconstruction.size > 0) {
    const text =
      reconstruction.size === 2 ? 'with and without' : reconstruction.has(true) ? 'in all rows' : 'none';
    entries.push(['Reconstruction', text]);
  }
  return html`<dl>${entries.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}
