// A comparison as one self-contained HTML page: no scripts, no requests, readable on paper and in dark mode.
import { formatCount } from '../../util/index.ts';
import { Html, type HtmlPart, html } from '../html/html.ts';
import { describeUncounted } from '../uncounted.ts';
import { chart } from './chart.ts';
import type { ReportData, ReportHeatmap, SourceRow } from './report-data.ts';
import {
  isImbalanced,
  ofClasses,
  ratioText,
  type Series,
  seedsText,
  seriesOf,
  sourceSeriesOf,
  titleOf,
} from './series.ts';
import { STYLE } from './style.ts';
import { summariseComparison } from './summary.ts';
import { measureTable, recallRatio, recallTable, secondsTable } from './tables.ts';

/** Renders the page. Escapes all text of the data; a number that was not measured (NaN) becomes a dash. */
export function renderReport(data: ReportData): string {
  const series = seriesOf(data);
  const imbalanced = isImbalanced(data);
  const ratio = recallRatio(data);
  // Pictures are embedded as data URIs. Without them the page may load nothing but its style.
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
  ofClasses(data) &&
  html`<section>
<h2>Recall of each class, ${ratioText(ratio)} of the channels removed</h2>
<p class="note">The share of each class’s test samples that the network classifies correctly. A dash: the class has no samples.</p>
${recallTable(data, series, ratio)}
</section>`
}
${data.sources && data.sources.length > 0 && sourcesSection(data, data.sources)}
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
  const [title, note] = !ofClasses(data)
    ? [titleOf(data, measure), 'Of the test samples, as docs/tasks.md defines it; 100 % is the best.']
    : measure === 'accuracy'
      ? ['Accuracy', 'The share of test samples that the network classifies correctly.']
      : [
          'Balanced accuracy',
          'The mean recall over the classes. Their sizes differ, so accuracy alone flatters a network that always predicts the most frequent class.',
        ];
  return html`<section>
<h2>${title}</h2>
<p class="note">${note} ${series.some((one) => one.family === 'reference') && 'Grey dashed lines: reference criteria.'}
Hover over a mark to see its figures.${seeds !== undefined && ` Means over ${seeds}; whiskers, bands and ± are one standard deviation.`}</p>
<figure>${chart(data, series, measure, measure)}</figure>
<p class="note">The shading runs from ${ofClasses(data) ? 'chance' : 'low values'} to the unpruned network. Bold: the best value of the column, chosen on these same test samples.</p>
${measureTable(data, series, measure)}
</section>`;
}

/** Scores on samples of the local class mix against scores on other samples. */
function sourcesSection(data: ReportData, rows: readonly SourceRow[]): Html {
  const series = sourceSeriesOf(rows);
  const measure = isImbalanced({ ...data, rows }) ? 'balancedAccuracy' : 'accuracy';
  const word = measure === 'accuracy' ? 'Accuracy' : 'Balanced accuracy';
  const seeds = seedsText(rows);
  return html`<section>
<h2>Scores from the local class mix</h2>
<p class="note">${word} on the local test samples. Channels are scored on samples of the local class mix, of all classes
equally (grey, uniform), or of the wrong classes (grey, wrong).${
    seeds !== undefined && ` Means over ${seeds}; whiskers, bands and ± are one standard deviation.`
  }</p>
<figure>${chart(data, series, measure, 'mix', 240)}</figure>
${measureTable(data, series, measure)}
</section>`;
}

/** Pictures as images: their styles and ids cannot clash with the page's, and nothing in them can run. */
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
  const repair = new Set(data.rows.map((row) => row.reconstruct));
  const entries: [string, HtmlPart][] = [
    ['Command', html`<code>${data.command}</code>`],
    ['Date', data.date],
    ['bedside', data.version],
    [
      'Model',
      html`${data.model.name}: ${formatCount(data.model.macs)} multiply-accumulates per sample, ${formatCount(data.model.parameters)} parameters`,
    ],
    ...describeUncounted(data.model.uncounted).map((line): [string, HtmlPart] => [
      'Multiply-accumulates',
      line,
    ]),
    ['Model’s SHA-256', html`<code>${data.model.sha256}</code>`],
    [
      'Data',
      html`${data.data.name}: ${data.data.calibration} samples for scoring, ${data.data.test} for testing`,
    ],
    ['Data’s SHA-256', html`<code>${data.data.sha256}</code>`],
  ];
  if (repair.size > 0) {
    const text = repair.size === 2 ? 'with and without' : repair.has(true) ? 'in all rows' : 'none';
    entries.push(['Repair', text]);
  }
  return html`<dl>${entries.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}
