// The table of criteria that prune.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PLAIN_CRITERIA } from '../explain/internal.ts';
import { AUTO_CANDIDATES, REPAIRED_CANDIDATES } from './auto/criterion-choice.ts';
import { CRITERIA, CRITERION_PARAMETERS, findCriterion } from './criteria.ts';

describe('the table of criteria', () => {
  it('has those of explain, and obs', () => {
    const names = CRITERIA.map(({ name }) => name);
    expect(names).toEqual([...PLAIN_CRITERIA.map(({ name }) => name), 'obs']);
    for (const name of names) expect(findCriterion(name).name).toBe(name);
    expect(findCriterion('obs=taylor').name).toBe('obs=taylor');
    expect(() => findCriterion('obstacle')).toThrow(/unknown criterion 'obstacle'/);
  });

  it('has every candidate of auto', () => {
    for (const name of [...AUTO_CANDIDATES, ...REPAIRED_CANDIDATES])
      expect(findCriterion(name).name).toBe(name);
  });

  it('is documented', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/criteria.md'), 'utf8').replace(
      /\s+/g,
      ' ',
    );
    for (const { name, source } of CRITERIA.slice(PLAIN_CRITERIA.length)) {
      expect(page).toContain(`\`${name}${CRITERION_PARAMETERS.has(name) ? '[=WEIGHT]' : ''}\``);
      for (const paper of source.split('; ')) expect(page).toContain(paper);
    }
  });
});
