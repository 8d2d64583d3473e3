// A comparison as one HTML page that needs nothing else: no scripts, no requests, readable on paper and in the dark.
import { formatCount } from '../../util/index.ts';
import { chart } from './chart.ts';
import { Html, html, type Part } from './html.ts';
import type { ReportData } from './report-data.ts';
import { isImbalanced, ratioText, type Series, seriesOf } from './series.ts';
import { STYLE } from './style.ts';
import { summarise } from './summary.ts';
import { measureTable, middleRatio, recallTable, secondsTable } from './tables.ts';

/**
 * The page as text. Everything in the data is escaped; numbers that were not measured (NaN) become dashes.
 */
export function renderReport(data: ReportData): string {
  const series = seriesOf(data);
  const imbalanced = isImbalanced(data);
  const middle = middleRatio(data.rows);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="bedside ${data.version}">
<title>${data.title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<header>
<h1>${data.title}</h1>
<p class="lead">${summarise(data)}</p>
</header>
<main>
${imbalanced && charts(data, series, 'balancedAccuracy')}
${charts(data, series, 'accuracy')}
${
  middle !== undefined &&
  html`<section>
<h2>Recall of each class, ${ratioText(middle)} of the channels removed</h2>
<p class="note">The share of a class’s test samples that the network answers right. A dash: no samples.</p>
${recallTable(data, series, middle)}
</section>`
}
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
Point at a mark for its figures.</p>
<figure>${chart(data, series, measure, measure)}</figure>
<p class="note">Shaded from chance to the unpruned network. Bold: the best of its column, chosen on these same test samples.</p>
${measureTable(data, series, measure)}
</section>`;
}

function facts(data: ReportData): Html {
  const reconstruction = new Set(data.rows.map((row) => row.reconstruct));
  const entries: [string, Part][] = [
    ['Command', html`<code>${data.command}</code>`],
    ['Date', data.date],
    ['bedside', data.version],
    [
      'Model',
      html`${data.model.name}: ${formatCount(data.model.macs)} multiply-accumulates a sample, ${formatCount(data.model.parameters)} parameters`,
    ],
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
