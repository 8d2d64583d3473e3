// The tables of the report: measure by criterion and ratio, recall by class, seconds.
import { formatSeconds, largest, smallest } from '../../util/index.ts';
import { type Html, type HtmlPart, html } from '../html/html.ts';
import { styleClass } from './chart.ts';
import type { ReportData } from './report-data.ts';
import { chanceOf, deviationOf, type Measure, percent, ratiosOf, ratioText, type Series } from './series.ts';

/** A measure by criterion and ratio, shaded from chance to the unpruned network; the best of each column is bold. */
export function measureTable(data: ReportData, series: readonly Series[], measure: Measure): Html {
  const all = series.flatMap((one) => one.rows);
  const columns = ratiosOf(all).map((ratio) => {
    const rows = all.filter((row) => row.ratio === ratio);
    const fractions = rows.map((row) => row.macsFraction);
    return {
      ratio,
      best: largest(rows.map((row) => row[measure]).filter(Number.isFinite)),
      same: largest(fractions) - smallest(fractions) < 5e-4,
      fraction: rows[0]?.macsFraction,
    };
  });
  const low = chanceOf(data, measure) ?? 1 / Math.max(1, data.classNames.length);
  return html`<div class="scroll"><table class="heat">
<thead><tr><th scope="col">channels removed</th><th scope="col">0 %</th>${columns.map(
    ({ ratio }) => html`<th scope="col">${ratioText(ratio)}</th>`,
  )}</tr>
<tr class="sub"><th scope="row">multiply-accumulates left</th><td>100 %</td>${columns.map(
    ({ same, fraction }) => html`<td>${same ? percent(fraction) : 'in the cells'}</td>`,
  )}</tr></thead>
<tbody>${series.map(
    (one) =>
      html`<tr><th scope="row">${swatch(one)}${one.name}</th>${cell(data.base[measure], low, data.base[measure])}${columns.map(
        ({ ratio, best, same }) => {
          const row = one.rows.find((candidate) => candidate.ratio === ratio);
          const spread = row && deviationOf(row, measure);
          const note = html`${spread !== undefined && html`<small>± ${(100 * spread).toFixed(1)}</small>`}${
            row && !same && html`<small>${percent(row.macsFraction)}</small>`
          }`;
          return cell(row?.[measure], low, data.base[measure], { bold: row?.[measure] === best, note });
        },
      )}</tr>`,
  )}</tbody></table></div>`;
}

/** Recall of every class at one ratio; the unpruned network comes first. */
export function recallTable(data: ReportData, series: readonly Series[], ratio: number): Html {
  const lines: { name: HtmlPart; recall: readonly number[]; base?: boolean }[] = [
    { name: html`${swatch(undefined)}unpruned`, recall: data.base.recall, base: true },
  ];
  for (const one of series) {
    const row = one.rows.find((candidate) => candidate.ratio === ratio);
    if (row) lines.push({ name: html`${swatch(one)}${one.name}`, recall: row.recall });
  }
  const counts = data.data.testPerClass;
  return html`<div class="scroll"><table class="heat">
<thead><tr><th scope="col">class</th>${data.classNames.map((name) => html`<th scope="col">${name}</th>`)}</tr>
${counts && html`<tr class="sub"><th scope="row">test samples</th>${data.classNames.map((_, i) => html`<td>${counts[i] ?? '–'}</td>`)}</tr>`}</thead>
<tbody>${lines.map(
    (entry) =>
      html`<tr${entry.base && html` class="base"`}><th scope="row">${entry.name}</th>${data.classNames.map(
        (_, i) => cell(entry.recall[i], 0, 1),
      )}</tr>`,
  )}</tbody></table></div>`;
}

/** Seconds that each criterion took to score the channels, with bars; slowest last. */
export function secondsTable(data: ReportData, series: readonly Series[]): Html {
  const times = Object.entries(data.seconds)
    .filter(([, seconds]) => Number.isFinite(seconds))
    .sort(([, a], [, b]) => a - b);
  const longest = Math.max(0, largest(times.map(([, seconds]) => seconds)));
  return html`<table class="bars"><tbody>${times.map(([criterion, seconds]) => {
    const one = series.find((candidate) => candidate.criterion === criterion);
    const width = longest > 0 ? ((seconds / longest) * 100).toFixed(1) : '0';
    return html`<tr><th scope="row">${swatch(one)}${criterion}</th><td class="number">${formatSeconds(seconds)}</td>
<td class="bar" aria-hidden="true"><span style="width:${width}%"></span></td></tr>`;
  })}</tbody></table>`;
}

interface CellOptions {
  readonly bold?: boolean;
  readonly note?: Html | undefined | false;
}

/** A cell whose shade grows from `low` to `high`. */
function cell(value: number | undefined, low: number, high: number, options: CellOptions = {}): Html {
  if (value === undefined || !Number.isFinite(value)) return html`<td class="none">–${options.note}</td>`;
  const share = high > low ? (value - low) / (high - low) : 1;
  const shade = Math.min(1, Math.max(0, share)).toFixed(2);
  const text = options.bold ? html`<strong>${percent(value)}</strong>` : percent(value);
  return html`<td style="--share:${shade}">${text}${options.note}</td>`;
}

/** A dot in the series' colour. */
function swatch(series: Series | undefined): Html {
  return html`<span class="swatch ${series ? styleClass(series) : 'unpruned'}" aria-hidden="true"></span>`;
}

/** The measured ratio nearest to the wanted one; by default the middle ratio, the larger one of two. */
export function recallRatio({ rows, recallRatio: wanted }: ReportData): number | undefined {
  const ratios = ratiosOf(rows);
  if (wanted === undefined) return ratios[Math.floor(ratios.length / 2)];
  return ratios.reduce<number | undefined>(
    (best, ratio) =>
      best === undefined || Math.abs(ratio - wanted) < Math.abs(best - wanted) ? ratio : best,
    undefined,
  );
}
