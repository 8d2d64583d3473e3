import { expect, it } from 'vitest';
import { bundleOf } from '../../report/frontier/test-support/bundle.ts';
import { shownRows } from '../../report/index.ts';
import { frontierTable } from './frontier-table.ts';

it('shows one line a variant, with times only where some are measured', () => {
  const bundle = bundleOf([100, 0.9], [50, 0.8], [60, 0.95], [70, 0.85], [20, 0.5]);
  const text = frontierTable(bundle, shownRows(bundle, 10));
  expect(text.split('\n')).toHaveLength(5);
  expect(text).toMatch(/60\.0 %.*95\.0 %.*85\.0 %/);
  expect(text).not.toContain('time');
});
