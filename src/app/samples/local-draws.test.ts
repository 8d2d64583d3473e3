// Whether the samples that measure are those that the bundle was packed with.
import { describe, expect, it } from 'vitest';
import type { Bundle } from '../../bundle/index.ts';
import type { Dataset } from '../../data/index.ts';
import { KeptJournal } from '../reporter.ts';
import { remarkOtherDraws } from './local-draws.ts';

describe('remarkOtherDraws', () => {
  const provenance = { dataset: 'x/mitdb', seed: 1, calibration: 100, validation: 400 };
  const bundle = { manifest: { provenance } } as unknown as Bundle;
  const told = (data: string, seed: number, calibration: number): string => {
    const journal = new KeptJournal();
    const of = (size: number) => ({ size }) as Dataset;
    remarkOtherDraws(bundle, { calibration: of(calibration), validation: of(400) }, { data, seed }, journal);
    return journal.said().remarks.join();
  };

  it('is silent for the draws that packed the bundle, and says that others may have ranked it', () => {
    expect(told('mitdb/', 1, 100)).toBe('');
    for (const other of [told('mitdb', 2, 100), told('mitdb', 1, 99), told('svdb', 1, 100)]) {
      expect(other).toMatch(
        /some of these samples may have ranked or repaired it; .*--data x\/mitdb --seed 1/,
      );
    }
  });
});
