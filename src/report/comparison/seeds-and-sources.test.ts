// The optional parts of a report: spread over seeds, class mixes, a chosen ratio for recalls, heatmaps.
import { describe, expect, it } from 'vitest';
import { renderReport, type SourceRow } from '../index.ts';
import { sourceSeriesOf } from './series.ts';
import { ROWS, reportData, row } from './test-support/data.ts';

const SEEDED = [
  row('lrp-gamma', 0.1, 0.95, { accuracyStd: 0.01, seeds: 5 }),
  row('lrp-gamma', 0.5, 0.8, { accuracyStd: 0.05, seeds: 5 }),
  row('l1', 0.5, 0.3, { accuracyStd: 0.4, seeds: 5 }),
];

describe('the spread over seeds', () => {
  const page = renderReport(reportData(SEEDED));

  it('is a band and whiskers one standard deviation up and down', () => {
    const [band = ''] = /<g class="spread xai c0">[\s\S]*?<\/g>/.exec(page) ?? [];
    const outline = (/points="([^"]*)"/.exec(band)?.[1] ?? '')
      .split(' ')
      .map((p) => p.split(',').map(Number));
    const y = yOf(page);
    // Along the upper edge, and back along the lower one.
    expect(outline).toHaveLength(4);
    [0.96, 0.85, 0.75, 0.94].forEach((value, i) => {
      expect(outline[i]?.[1]).toBeCloseTo(y(value), 0);
    });
    expect(band.match(/h8m-4,0V/g)).toHaveLength(2);
  });

  it('is a whisker alone where there is one point, and stays inside [0, 1]', () => {
    const [whisker = ''] = /<g class="spread reference">[\s\S]*?<\/g>/.exec(page) ?? [];
    expect(whisker).not.toContain('polygon');
    const [, low] = /h8m-4,0V([\d.]+)/.exec(whisker) ?? [];
    expect(Number(low)).toBeCloseTo(yOf(page)(0), 0);
  });

  it('stands in the table and in words', () => {
    expect(page).toContain('<strong>80.0 %</strong><small>± 5.0</small>');
    expect(page).toContain('Means over 5 seeds; whiskers, bands and ± are one standard deviation.');
    expect(page).toContain('accuracy 80.0 % ± 5.0, balanced 80.0 %');
  });

  it('is not spoken of where it was not measured', () => {
    const plain = renderReport(reportData(ROWS));
    expect(plain).not.toMatch(/class="spread|±|seeds/);
    const unknown = renderReport(reportData([row('l1', 0.5, 0.3, { accuracyStd: Number.NaN })]));
    expect(unknown).not.toMatch(/class="spread|NaN/);
  });
});

describe('class mixes', () => {
  const mix = (
    kind: SourceRow['mix'],
    ratio: number,
    accuracy: number,
    criterion = 'lrp-gamma',
  ): SourceRow => ({
    ...row(criterion, ratio, accuracy),
    mix: kind,
  });
  const rows = [
    mix('wrong', 0.5, 0.5),
    mix('uniform', 0.5, 0.7),
    mix('local', 0.5, 0.8),
    mix('local', 0.3, 0.9),
  ];

  it('come local first, each from the fewest channels removed', () => {
    expect(sourceSeriesOf(rows).map(({ name, family, rows: own }) => [name, family, own.length])).toEqual([
      ['local mix', 'xai', 2],
      ['uniform mix', 'reference', 1],
      ['wrong mix', 'reference', 1],
    ]);
    expect(sourceSeriesOf(rows)[0]?.rows.map(({ ratio }) => ratio)).toEqual([0.3, 0.5]);
    const two = sourceSeriesOf([...rows, mix('local', 0.5, 0.6, 'l1')]);
    expect(two.map(({ name }) => name)).toContain('l1, local mix');
  });

  it('have a chart and a table of their own', () => {
    const page = renderReport(reportData(ROWS, { sources: rows }));
    const section = page.split('<h2>Scores from the local class mix</h2>')[1]?.split('</section>')[0] ?? '';
    expect(section.match(/data-series="(local|uniform|wrong) mix"/g)).toHaveLength(3);
    expect(section).toContain('<strong>80.0 %</strong>');
    expect(section).toMatch(/<td class="none">–<\/td>/);
    expect(page).not.toMatch(/NaN|undefined/);
    const ids = [...page.matchAll(/ id="([^"]*)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('are left out where there are none', () => {
    expect(renderReport(reportData(ROWS, { sources: [] }))).toBe(renderReport(reportData(ROWS)));
  });
});

describe('the ratio of the recalls', () => {
  it.each([
    [undefined, '30 %'],
    [0.5, '50 %'],
    [0.12, '10 %'],
  ])('%s: shown at %s', (recallRatio, shown) => {
    const page = renderReport(reportData(ROWS, recallRatio === undefined ? {} : { recallRatio }));
    expect(page).toContain(`<h2>Recall of each class, ${shown} of the channels removed</h2>`);
  });
});

describe('heatmaps', () => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
  const page = renderReport(reportData(ROWS, { heatmaps: [{ title: `<b>"V"`, svg }] }));

  it('stand in the page as images that cannot run', () => {
    const [, data = '', title] =
      /<img src="data:image\/svg\+xml;base64,([^"]*)" alt="([^"]*)">/.exec(page) ?? [];
    expect(title).toBe('&lt;b&gt;&quot;V&quot;');
    expect(Buffer.from(data, 'base64').toString()).toBe(svg);
    expect(page).not.toContain('<script');
  });

  it('let in images from the page itself, and only then', () => {
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"`);
    expect(renderReport(reportData(ROWS, { heatmaps: [] }))).toBe(renderReport(reportData(ROWS)));
  });
});

/** The map from fraction to pixel that the printed tick labels imply. */
function yOf(page: string): (fraction: number) => number {
  const ticks = [...page.matchAll(/<text class="y" x="[\d.]+" y="([\d.]+)"[^>]*>(\d+) %<\/text>/g)];
  const [first, last] = [ticks[0], ticks.at(-1)].map((m) => [Number(m?.[1]), Number(m?.[2]) / 100]);
  const [y0 = 0, f0 = 0] = first ?? [];
  const [y1 = 0, f1 = 0] = last ?? [];
  return (fraction) => y0 + ((y1 - y0) * (fraction - f0)) / (f1 - f0);
}
