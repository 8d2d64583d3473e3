// Damaged files of EDF, DICOM and NIfTI: each is taken, or refused with a code, a sentence and a hint; none crashes the
// readers. bench/fuzz.ts --medical runs 2,000 of each kind.
import { expect, it } from 'vitest';
import { fuzz } from './support/fuzz/fuzz.ts';
import { MEDICAL_KINDS } from './support/fuzz/medical-kinds.ts';

const CASES = 150;

it(`${CASES} damaged files of devices and archives`, async () => {
  const ends = await fuzz({ first: 1, cases: CASES, limit: Number.POSITIVE_INFINITY, among: MEDICAL_KINDS });
  expect(ends.filter(({ fault }) => fault !== undefined)).toEqual([]);
  for (const { name } of MEDICAL_KINDS) {
    const own = ends.filter(({ kind }) => kind === name);
    expect(own.filter(({ how }) => how.startsWith('E_')).length, `${name}: some are refused`).toBeGreaterThan(
      10,
    );
    expect(own.filter(({ how }) => how === 'taken').length, `${name}: some are taken`).toBeGreaterThan(2);
  }
});
