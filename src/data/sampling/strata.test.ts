// Samples of any task: what is chosen, what goes along with them, and splits by patient.
import { describe, expect, it } from 'vitest';
import type { Dataset, Targets } from '../dataset.ts';
import { hashSamples } from '../hash.ts';
import { chooseSamples, dividePatients, sharedPatients } from './patients.ts';
import { subset } from './sampling.ts';
import { disjointDraws, splitInTwo } from './splits.ts';
import { selectSamples, strataOf } from './strata.ts';

/** Sample i has label 0 where i is even, label 1 where i is a multiple of 3. */
const LABELS: Targets = {
  kind: 'labels',
  shape: [2],
  data: Uint8Array.from({ length: 60 }, (_, k) => {
    const i = k >> 1;
    return (k & 1) === 0 ? 1 - (i % 2) : i % 3 === 0 ? 1 : 0;
  }),
};

function dataset(change: Partial<Dataset> = {}): Dataset {
  const samples = Float32Array.from({ length: 30 }, (_, i) => i);
  return {
    kind: 'npz',
    name: 'd',
    size: 30,
    sampleShape: [1],
    samples,
    labels: undefined,
    targets: LABELS,
    classNames: ['0', '1'],
    origins: undefined,
    skipped: [],
    hash: hashSamples(samples, undefined, LABELS),
    ...change,
  };
}

describe('samples with several labels', () => {
  it('are drawn by the labels that they have together', () => {
    const strata = strataOf(dataset())!;
    for (let i = 0; i < 30; i++) {
      for (let j = 0; j < 30; j++) {
        const same = i % 2 === j % 2 && (i % 3 === 0) === (j % 3 === 0);
        expect(strata[i] === strata[j]).toBe(same);
      }
    }
    const chosen = selectSamples(dataset(), { perClass: 2, seed: 1 }, 2, 'd');
    expect(chosen).toHaveLength(8);
    const [first, second] = disjointDraws(dataset(), { first: 2, second: 3, classes: 2 }, 1);
    expect(first.size).toBe(8);
    expect(second.size).toBe(12);
  });

  it('are filtered by any of the labels asked for', () => {
    const chosen = selectSamples(dataset(), { classFilter: [1], seed: 1 }, 2, 'd');
    expect([...chosen]).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 24, 27]);
  });

  it('keep labels, patients and their identity in a subset', () => {
    const patients = Array.from({ length: 30 }, (_, i) => `p${i % 5}`);
    const part = subset(dataset({ patients }), [6, 7]);
    expect([...part.targets!.data]).toEqual([1, 1, 0, 0]);
    expect(part.patients).toEqual(['p1', 'p2']);
    expect(part.hash).toBe(hashSamples(Float32Array.of(6, 7), undefined, part.targets));
    expect(part.hash).not.toBe(hashSamples(Float32Array.of(6, 7), undefined));
  });

  it('and masks have no classes: limits are for all together', () => {
    const mask: Targets = { kind: 'mask', shape: [2], data: new Uint8Array(60) };
    const masks = dataset({ targets: mask });
    expect(strataOf(masks)).toBeUndefined();
    expect(selectSamples(masks, { perClass: 4, seed: 1 }, 2, 'd')).toHaveLength(8);
    expect(selectSamples(masks, { perClass: 4, limit: 3, seed: 1 }, 2, 'd')).toHaveLength(3);
    expect(selectSamples(masks, { seed: 1 }, 2, 'd')).toHaveLength(30);
    expect(() => selectSamples(masks, { classFilter: [0], seed: 1 }, 2, 'd')).toThrow(
      expect.objectContaining({ code: 'E_USAGE' }),
    );
  });
});

describe('dividePatients', () => {
  // 12 patients of 10 samples; only four of them have class 1, of which one or two samples each.
  const patients = Array.from({ length: 120 }, (_, i) => `p${i % 12}`);
  const strata = Int32Array.from({ length: 120 }, (_, i) => (i % 12 < 4 && i < 20 ? 1 : 0));

  it('keeps patients whole, and the share of every class in both parts', () => {
    const part = dividePatients(patients, strata, 2 / 3, 'd');
    const of = (value: number) => new Set(patients.filter((_, i) => part[i] === value));
    expect([...of(1)].some((patient) => of(0).has(patient))).toBe(false);
    const count = (value: number, stratum: number) =>
      strata.filter((s, i) => s === stratum && part[i] === value).length;
    expect(of(1).size).toBe(8);
    expect(count(1, 1)).toBeGreaterThanOrEqual(4);
    expect(count(0, 1)).toBeGreaterThanOrEqual(2);
  });

  it('does not depend on the order of the samples', () => {
    const whose = (order: number[]) => {
      const part = dividePatients(
        order.map((i) => patients[i]!),
        Int32Array.from(order, (i) => strata[i]!),
        0.5,
        'd',
      );
      return new Set(order.filter((_, k) => part[k] === 1).map((i) => patients[i]));
    };
    const order = Array.from({ length: 120 }, (_, i) => i);
    expect(whose(order.toReversed())).toEqual(whose(order));
  });

  it('gives both parts a patient, and refuses one patient', () => {
    const two = [...new Array<string>(50).fill('a'), 'b'];
    for (const fraction of [0.01, 0.99]) {
      expect(new Set(dividePatients(two, undefined, fraction, 'd'))).toEqual(new Set([0, 1]));
    }
    expect(() => dividePatients(['a', 'a'], undefined, 0.5, 'd')).toThrow(
      expect.objectContaining({ code: 'E_DATA' }),
    );
  });
});

describe('a split by patient', () => {
  const patients = Array.from({ length: 30 }, (_, i) => `p${i % 6}`);
  const whole = dataset({ patients, splitBy: 'patient' });
  const options = { sampleShape: [1], classes: 2, seed: 1, splitBy: 'patient' } as const;

  it('draws local and test of the same patients whatever the limits and the seed', () => {
    const local = chooseSamples(whole, { ...options, split: 'local', perClass: 2, seed: 9 }, 'd');
    const test = chooseSamples(whole, { ...options, split: 'test' }, 'd');
    const parts = [subset(whole, local), subset(whole, test)] as const;
    expect(sharedPatients(parts[1], [parts[0]])).toEqual({ shared: 0, all: 2 });
    expect(chooseSamples(whole, { ...options, split: 'all' }, 'd')).toHaveLength(30);
    expect(sharedPatients(whole, [parts[0]])?.shared).toBe(4);
  });

  it('holds for whatever divides the samples again', () => {
    for (const [first, second] of [
      splitInTwo(whole, 1 / 3, 1),
      disjointDraws(whole, { first: 3, second: 3, classes: 2 }, 1),
    ]) {
      expect(sharedPatients(first, [second])?.shared).toBe(0);
    }
  });

  it('needs to know whose the samples are', () => {
    expect(() => chooseSamples(dataset(), { ...options, split: 'local' }, 'd')).toThrow(
      expect.objectContaining({ code: 'E_DATA', hint: expect.stringContaining('patient') }),
    );
  });
});
