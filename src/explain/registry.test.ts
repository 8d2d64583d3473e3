// The table of criteria.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BedsideError } from '../util/index.ts';
import { AGGREGATIONS } from './aggregate.ts';
import type { LayerScores } from './criterion.ts';
import { CRITERION_PARAMETERS, findPlainCriterion, PLAIN_CRITERIA } from './registry.ts';
import { context, smallNetwork, withNormalisation } from './test-support/calibration.ts';

function expectClose(actual: LayerScores[] | undefined, expected: LayerScores[] | undefined): void {
  expect(actual?.map(({ layer }) => layer)).toEqual(expected?.map(({ layer }) => layer));
  expected?.forEach(({ layer, scores }, l) => {
    const most = Math.max(...scores.map(Math.abs));
    scores.forEach((score, c) => {
      expect(Math.abs((actual?.[l]?.scores[c] as number) - score), layer).toBeLessThanOrEqual(1e-4 * most);
    });
  });
}

describe('the table of criteria', () => {
  it('finds each by its name, and names are unique', () => {
    for (const { name, summary } of PLAIN_CRITERIA)
      expect(findPlainCriterion(name)).toMatchObject({ name, summary });
    expect(new Set(PLAIN_CRITERIA.map(({ name }) => name)).size).toBe(PLAIN_CRITERIA.length);
  });

  it('refuses an unknown name and lists the known ones', () => {
    const failure = (): unknown => {
      try {
        return findPlainCriterion('lrp-delta');
      } catch (error) {
        return error;
      }
    };
    const error = failure();
    expect(BedsideError.is(error, 'E_CRITERION') && error.message).toContain("'lrp-delta'");
    for (const { name } of PLAIN_CRITERIA) expect(BedsideError.is(error) && error.hint).toContain(name);
  });

  it('is documented: every name, every default parameter, every source', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/criteria.md'), 'utf8').replace(
      /\s+/g,
      ' ',
    );
    for (const { name, source } of PLAIN_CRITERIA) {
      const parameter = CRITERION_PARAMETERS.get(name);
      expect(page, name).toMatch(new RegExp(`\`${name}${parameter === undefined ? '' : '\\[=[A-Z]+\\]'}\``));
      for (const paper of source.split(/;|, per channel/)) {
        const [, authors, year] = /([A-Z]\S+(?: and \S+| et al\.)).*(\d{4})/.exec(paper) ?? [];
        if (authors !== undefined) expect(page, paper).toMatch(new RegExp(`${authors}[^;]*${year}`));
      }
    }
    for (const name of AGGREGATIONS) expect(page).toContain(`| \`${name}\` |`);
  });

  it.each(PLAIN_CRITERIA)('$name scores every layer and channel with a finite number', async (criterion) => {
    const model = smallNetwork();
    const unmerged = withNormalisation(model, 'Conv_1');
    const scores = await criterion.score({ ...context(model, { count: 3 }), unmerged });
    expect(scores.map(({ layer, scores: list }) => [layer, list.length])).toEqual([
      ['Conv', 4],
      ['Conv_1', 4],
      ['Conv_2', 5],
      ['Gemm', 3],
    ]);
    for (const { scores: list } of scores) {
      expect(list.every(Number.isFinite)).toBe(true);
      expect(list.some((score) => score !== 0)).toBe(true);
      // The one criterion that keeps the sign of what it explains.
      if (criterion.name !== 'taylor-signed') expect(list.every((score) => score >= 0)).toBe(true);
    }
  });

  it.each(PLAIN_CRITERIA)('$name gives the same for a batch of one and of seven', async (criterion) => {
    const model = smallNetwork();
    const unmerged = withNormalisation(model, 'Conv_1');
    const [single, seven] = await Promise.all(
      [1, 7].map((batch) => criterion.score({ ...context(model, { batch }), unmerged })),
    );
    expectClose(seven, single);
  });

  // Whole numbers as weights: as many copies of the sample. Where numbers are drawn for each sample, copies differ.
  const drawing = ['expected-gradients', 'smoothgrad', 'random'];
  it.each(PLAIN_CRITERIA.filter(({ name, needsSamples }) => needsSamples && !drawing.includes(name)))(
    '$name weighs samples like copies of them',
    async (criterion) => {
      const weights = [2, 0, 1, 3];
      const model = smallNetwork();
      const weighted = context(model, { count: 4, labels: [0, 1, 2, 1], weights });
      const { samples, sampleShape } = weighted.calibration;
      const order = weights.flatMap((copies, n) => new Array<number>(copies).fill(n));
      const copied = {
        samples: Float32Array.from(order.flatMap((n) => Array.from(samples.subarray(50 * n, 50 * n + 50)))),
        count: order.length,
        sampleShape,
        labels: Int32Array.from(order, (n) => [0, 1, 2, 1][n] as number),
      };
      for (const aggregation of [undefined, 'mean-absolute', 'positive', { quantile: 0.5 }] as const) {
        const more = aggregation ? { aggregation } : {};
        expectClose(
          await criterion.score({ ...weighted, ...more }),
          await criterion.score({ ...context(model), calibration: copied, ...more }),
        );
      }
      // And they do count.
      const alike = await criterion.score(context(model, { count: 4, labels: [0, 1, 2, 1] }));
      expect(alike).not.toEqual(await criterion.score(weighted));
    },
  );
});
