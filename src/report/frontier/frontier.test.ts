import { describe, expect, it } from 'vitest';
import { frontierRows, levelsText, shownRows, variantRows } from './frontier.ts';
import { frontierChart } from './frontier-chart.ts';
import { bundleOf } from './test-support/bundle.ts';

const BUNDLE = bundleOf([100, 0.9], [50, 0.8], [60, 0.95], [70, 0.85], [20, 0.5]);

describe('the frontier', () => {
  it('is what no other beats in accuracy and work, the most work first', () => {
    expect(frontierRows(BUNDLE).map(({ variant, macsFraction }) => [variant, macsFraction])).toEqual([
      [2, 0.6],
      [1, 0.5],
      [4, 0.2],
    ]);
    expect(variantRows(BUNDLE).map(({ variant }) => variant)).toEqual([0, 3, 2, 1, 4]);
  });

  it('is shown with the unpruned network, thinned with its ends', () => {
    expect(shownRows(BUNDLE, 10).map(({ variant }) => variant)).toEqual([0, 2, 1, 4]);
    expect(shownRows(BUNDLE, 2).map(({ variant }) => variant)).toEqual([0, 2, 4]);
    expect(shownRows(bundleOf([9, 0.9], [5, 0.5]), 5).map(({ variant }) => variant)).toEqual([0, 1]);
  });

  it('is drawn: every variant a mark, names escaped, whiskers for the best', () => {
    const svg = frontierChart(BUNDLE);
    expect(svg.match(/<circle /g)).toHaveLength(5);
    expect(svg.match(/class="whisker"/g)).toHaveLength(4);
    expect(svg).toContain('a &lt;b&gt; &amp; c');
    expect(svg).not.toMatch(/NaN|undefined/);
    expect(frontierChart(bundleOf([9, 0.9]))).not.toMatch(/NaN|Infinity/);
  });

  it('names levels as --levels takes them', () => {
    expect(levelsText([2, 2, 2])).toBe('all 2');
    expect(levelsText([0, 3, 1])).toBe('0,3,1');
    expect(levelsText([4])).toBe('4');
  });
});
