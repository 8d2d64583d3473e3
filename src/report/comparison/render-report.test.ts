import { describe, expect, it } from 'vitest';
import { renderReport } from '../index.ts';
import { ROWS, reportData, row } from './test-support/data.ts';

describe('the chart', () => {
  const page = renderReport(reportData(ROWS));

  it('has its points where the axes say', () => {
    const x = axis(page, 'x');
    const y = axis(page, 'y');
    for (const name of ['lrp-gamma', 'l1']) {
      const expected = ROWS.filter(({ criterion }) => criterion === name);
      const points = marks(page, name);
      expect(points).toHaveLength(expected.length);
      expected.forEach(({ macsFraction, accuracy }, i) => {
        expect(points[i]?.[0]).toBeCloseTo(x(macsFraction), 0);
        expect(points[i]?.[1]).toBeCloseTo(y(accuracy), 0);
      });
    }
  });

  it('draws lines through their points, from the unpruned network on', () => {
    const line = /data-series="lrp-gamma">\s*<polyline points="([^"]*)"/.exec(page)?.[1]?.split(' ') ?? [];
    const start = [axis(page, 'x')(1), axis(page, 'y')(0.96)];
    expect(line.length).toBe(4);
    line[0]?.split(',').forEach((value, i) => {
      expect(Number(value)).toBeCloseTo(start[i] as number, 0);
    });
    expect(line.slice(1).map((point) => point.split(',').map(Number))).toEqual(marks(page, 'lrp-gamma'));
  });

  it('marks the unpruned accuracy and chance', () => {
    const level = (kind: string) =>
      Number(new RegExp(`class="level ${kind}"[^>]* y1="([\\d.]+)"`).exec(page)?.[1]);
    expect(level('unpruned')).toBeCloseTo(axis(page, 'y')(0.96), 0);
    expect(level('chance')).toBeCloseTo(axis(page, 'y')(0.25), 0);
  });

  it('tells XAI criteria, coloured, from reference criteria, grey and dashed', () => {
    expect(page).toMatch(/class="series xai c0" data-series="lrp-gamma">\s*<polyline points="[^"]*"\/>/);
    expect(page).toMatch(
      /class="series reference" data-series="l1">\s*<polyline points="[^"]*" stroke-dasharray=/,
    );
  });

  it('names every line at its end, none over another', () => {
    const crowd = Array.from({ length: 30 }, (_, i) => row(`c${i}`, 0.5, 0.3));
    const heights = labelHeights(renderReport(reportData(crowd)));
    expect(heights).toHaveLength(32);
    heights.sort((a, b) => a - b);
    for (let i = 1; i < heights.length; i++) {
      expect((heights[i] as number) - (heights[i - 1] as number)).toBeGreaterThanOrEqual(18.9);
    }
  });

  it('is described to those who do not see it', () => {
    expect(page).toMatch(/<svg [^>]*role="img" aria-labelledby="accuracy-title accuracy-desc">/);
    expect(page).toMatch(/<title id="accuracy-title">Accuracy against multiply-accumulates left<\/title>/);
    expect(page).toMatch(/<desc id="accuracy-desc">[^<]*lrp-gamma 80\.0 % at 25\.0 %; l1 30\.0 % at 25\.0 %/);
  });

  it('comes twice, balanced accuracy first, when classes are uneven', () => {
    expect(page).not.toContain('<h2>Balanced accuracy</h2>');
    const uneven = renderReport(reportData([row('lrp-gamma', 0.5, 0.9, { balancedAccuracy: 0.5 })]));
    const [balanced, plain] = [
      uneven.indexOf('<h2>Balanced accuracy</h2>'),
      uneven.indexOf('<h2>Accuracy</h2>'),
    ];
    expect(balanced).toBeGreaterThan(0);
    expect(plain).toBeGreaterThan(balanced);
    const ids = [...uneven.matchAll(/ id="([^"]*)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('shows chance of plain accuracy on uneven classes only when the counts are known', () => {
    const rows = [row('lrp-gamma', 0.5, 0.9, { balancedAccuracy: 0.5 })];
    const data = reportData(rows);
    expect(renderReport(data).match(/class="level chance"/g)).toHaveLength(1);
    const known = reportData(rows, { data: { ...data.data, testPerClass: [850, 50, 50, 50] } });
    expect(renderReport(known).match(/class="level chance"/g)).toHaveLength(2);
    expect(renderReport(known)).toContain('one class for all</tspan> 85.0 %');
  });

  it('keeps repaired rows apart', () => {
    const both = renderReport(reportData([...ROWS, row('l1', 0.5, 0.93, { reconstruct: true })]));
    expect(marks(both, 'l1')).toHaveLength(3);
    expect(marks(both, 'l1 + repair')).toHaveLength(1);
  });
});

describe('the tables', () => {
  it('hold criterion by ratio, the best of a column bold', () => {
    const body = tableAfter(renderReport(reportData(ROWS)), 'Accuracy');
    expect(body).toEqual([
      ['channels removed', '0 %', '10 %', '30 %', '50 %'],
      ['multiply-accumulates left', '100 %', '81.0 %', '49.0 %', '25.0 %'],
      [
        'lrp-gamma',
        '96.0 %',
        '<strong>95.0 %</strong>',
        '<strong>90.0 %</strong>',
        '<strong>80.0 %</strong>',
      ],
      ['l1', '96.0 %', '80.0 %', '50.0 %', '30.0 %'],
    ]);
  });

  it('give the fractions of multiply-accumulates in the cells where criteria differ', () => {
    const rows = [row('lrp-gamma', 0.5, 0.8), row('l1', 0.5, 0.3, { macsFraction: 0.2 })];
    const body = tableAfter(renderReport(reportData(rows)), 'Accuracy');
    expect(body[1]?.[2]).toBe('in the cells');
    expect(body[3]?.[2]).toBe('30.0 %<small>20.0 %</small>');
  });

  it('hold recalls at the middle ratio', () => {
    const rows = [...ROWS, row('lrp-zplus', 0.3, 0.7, { recall: [1, 0.5, Number.NaN, 0.25] })];
    const body = tableAfter(
      renderReport(reportData(rows)),
      'Recall of each class, 30 % of the channels removed',
    );
    expect(body[0]).toEqual(['class', 'north', 'east', 'south', 'west']);
    expect(body[1]).toEqual(['unpruned', '96.0 %', '96.0 %', '96.0 %', '96.0 %']);
    expect(body).toContainEqual(['lrp-zplus', '100.0 %', '50.0 %', '–', '25.0 %']);
  });

  it('hold seconds, the fastest first', () => {
    const body = tableAfter(renderReport(reportData(ROWS)), 'Time to score the channels');
    expect(body.map((cells) => cells.slice(0, 2))).toEqual([
      ['l1', '20.0 ms'],
      ['lrp-gamma', '1.50 s'],
    ]);
  });
});

describe('the page', () => {
  it('states what it was made from', () => {
    const page = renderReport(reportData(ROWS));
    for (const fact of [
      'bedside compare model.onnx --data samples',
      '2026-01-02',
      '1.2.3',
      'model.onnx: 1.00 k multiply-accumulates per sample, 500 parameters',
      'aa'.repeat(32),
      'samples: 40 samples for scoring, 1000 for testing',
      'bb'.repeat(32),
    ]) {
      expect(page).toContain(fact);
    }
  });

  it('asks for nothing outside itself', () => {
    const page = renderReport(reportData(ROWS));
    expect(page).not.toMatch(/https?:|\/\/|url\(|@import|<script|<link|<img|\ssrc=|\shref=/i);
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
  });

  it('escapes every text', () => {
    const evil = `<script>"text"&'more'</script>`;
    const data = reportData([row(evil, 0.5, 0.3)], {
      title: evil,
      command: evil,
      date: evil,
      version: evil,
      model: { name: evil, sha256: evil, macs: 1, parameters: 1 },
      data: { name: evil, sha256: evil, calibration: 1, test: 1 },
      classNames: [evil, evil, evil, evil],
      seconds: { [evil]: 1 },
    });
    const page = renderReport(data);
    expect(page).not.toContain('<script');
    expect(page).not.toContain('"text"');
    expect(page).not.toContain(`'more'`);
    expect(
      page.split('&lt;script&gt;&quot;text&quot;&amp;&#39;more&#39;&lt;/script&gt;').length,
    ).toBeGreaterThan(15);
  });

  it('closes what it opens', () => {
    const page = renderReport(reportData(ROWS));
    const open: string[] = [];
    for (const [tag, slash, name = '', self] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*?(\/?)>/g)) {
      if (name === 'meta' || self) continue;
      if (slash) expect([tag, open.pop()]).toEqual([tag, name]);
      else open.push(name);
    }
    expect(open).toEqual([]);
  });

  it.each([
    ['nothing measured', []],
    ['one row', [row('l1', 0.5, 0.3)]],
    ['all equal to the unpruned network', [row('lrp-gamma', 0.1, 0.96), row('l1', 0.1, 0.96)]],
    ['nothing removed', [row('l1', 0, 0.96)]],
    ['perfect', [row('l1', 0.5, 1)]],
    ['all wrong', [row('l1', 0.5, 0)]],
    ['not measured', [row('l1', 0.5, Number.NaN), row('lrp-gamma', 0.5, 0.5)]],
    [
      'recall not measured',
      [row('l1', 0.5, 0.5, { recall: [Number.NaN, Number.NaN, Number.NaN, Number.NaN] })],
    ],
    ['recall of too few classes', [row('l1', 0.5, 0.5, { recall: [] })]],
    ['more work than before', [row('l1', 0.5, 0.5, { macsFraction: 1.3 })]],
  ])('is whole with degenerate rows: %s', (_, rows) => {
    const page = renderReport(reportData(rows));
    expect(page).not.toMatch(/NaN|Infinity|undefined|null/);
    for (const [x, y] of rows.flatMap(({ criterion }) => marks(page, criterion))) {
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x).toBeLessThanOrEqual(960);
      expect(y).toBeGreaterThan(0);
    }
  });

  it('is whole with a single class, no classes, and an unmeasured unpruned network', () => {
    const recall = [Number.NaN];
    for (const more of [
      { classNames: ['only'], base: { accuracy: 1, balancedAccuracy: 1, recall: [1] } },
      { classNames: [], base: { accuracy: 0.5, balancedAccuracy: 0.5, recall: [] } },
      { classNames: ['only'], base: { accuracy: Number.NaN, balancedAccuracy: Number.NaN, recall } },
    ]) {
      const page = renderReport(reportData([row('lrp-gamma', 0.5, 1)], { ...more, seconds: {} }));
      expect(page).not.toMatch(/NaN|Infinity|undefined|null/);
    }
  });
});

/** The map from fraction to pixel that the printed tick labels imply. */
function axis(page: string, name: 'x' | 'y'): (fraction: number) => number {
  const pattern = new RegExp(`<text class="${name}" x="([\\d.]+)" y="([\\d.]+)"[^>]*>(\\d+) %</text>`, 'g');
  const ticks = [...page.matchAll(pattern)].map((match) => ({
    pixel: Number(match[name === 'x' ? 1 : 2]),
    fraction: Number(match[3]) / 100,
  }));
  const [first, last] = [ticks[0], ticks.at(-1)];
  if (!first || !last || first === last) throw new Error(`no ${name} axis`);
  const slope = (last.pixel - first.pixel) / (last.fraction - first.fraction);
  return (fraction) => first.pixel + slope * (fraction - first.fraction);
}

/** Where a series' marks are. */
function marks(page: string, name: string): [number, number][] {
  const series = page.split(`data-series="${name}">`)[1]?.split('</g>')[0] ?? '';
  return [...series.matchAll(/transform="translate\((-?[\d.]+) (-?[\d.]+)\)"/g)].map((m) => [
    Number(m[1]),
    Number(m[2]),
  ]);
}

function labelHeights(page: string): number[] {
  return [...page.matchAll(/<text x="[\d.]+" y="(-?[\d.]+)" dy=".35em"><tspan class="who">/g)].map((m) =>
    Number(m[1]),
  );
}

/** The cells of the first table after a heading. */
function tableAfter(page: string, heading: string): string[][] {
  const table = page.split(`<h2>${heading}</h2>`)[1]?.split('</table>')[0] ?? '';
  return [...table.matchAll(/<tr[^>]*>(.*?)<\/tr>/gs)].map(([, cells = '']) =>
    [...cells.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, text = '']) =>
      text.replace(/<span.*?<\/span>/g, ''),
    ),
  );
}
