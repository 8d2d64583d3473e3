// Damaged inputs: each is taken, or refused with a code, a sentence and a hint; none is a defect, none leaves a file behind.
// bench/fuzz.ts runs many more.
import { expect, it } from 'vitest';
import { rounds } from '../src/util/test-support/rounds.ts';
import { fuzz } from './support/fuzz/fuzz.ts';
import { KINDS } from './support/fuzz/kinds.ts';

const CASES = rounds(240, 1000);

it(`${CASES} damaged models, data, bundles, fleets, requests, policies, credentials, traces and messages`, async () => {
  // A case that hangs is found by the test's own limit; here a clock would only measure the machine.
  const ends = await fuzz({ first: 1, cases: CASES, limit: Number.POSITIVE_INFINITY });
  expect(ends.filter(({ fault }) => fault !== undefined)).toEqual([]);
  for (const { name } of KINDS) {
    const refused = ends.filter(({ kind, how }) => kind === name && how.startsWith('E_'));
    expect(refused.length, `${name}: some are refused`).toBeGreaterThan(3);
  }
  expect(ends.filter(({ how }) => how === 'taken').length).toBeGreaterThan(CASES / 10);
});
