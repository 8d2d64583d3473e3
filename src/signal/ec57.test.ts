// Beat-by-beat comparison against cases that are counted by hand, and against another way of pairing.
import { describe, expect, it } from 'vitest';
import { Random } from '../util/internal.ts';
import { compareBeats, overallDetection } from './ec57.ts';

const RATE = 100;
const from = (reference: number[], detected: number[], more = {}) => {
  const { tp, fp, fn } = compareBeats({ reference, detected, rate: RATE, learning: 0, ...more });
  return [tp, fp, fn];
};

describe('compareBeats', () => {
  it.each([
    ['all found, within 150 ms', [100, 200, 300], [115, 185, 300], [3, 0, 0]],
    ['16 samples are too far', [100, 200], [116, 200], [1, 1, 1]],
    ['one beat found twice', [100, 200], [95, 102, 200], [2, 1, 0]],
    ['two beats, one detection between them', [100, 110], [106], [1, 0, 1]],
    ['nothing found', [100, 200], [], [0, 0, 2]],
    ['nothing there', [], [100, 200], [0, 2, 0]],
    ['neither', [], [], [0, 0, 0]],
  ])('%s', (_, reference, detected, expected) => {
    expect(from(reference, detected)).toEqual(expected);
  });

  it('leaves out the learning period, and counts a beat on its border once', () => {
    expect(from([100, 400, 505, 600], [100, 300, 495, 600], { learning: 5 })).toEqual([2, 0, 0]);
    // The detection at 503 is that of the beat at 495, which is left out.
    expect(from([495, 600], [503, 600], { learning: 5 })).toEqual([1, 0, 0]);
  });

  it('counts nothing in ventricular flutter, but pairs what belongs to beats beside it', () => {
    const flutter = [{ from: 200, to: 500 }];
    expect(from([100, 250, 600], [100, 250, 300, 400, 600], { flutter })).toEqual([2, 0, 0]);
    expect(from([195, 600], [205, 350, 600, 700], { flutter })).toEqual([2, 1, 0]);
    const open = [{ from: 200, to: Number.POSITIVE_INFINITY }];
    expect(from([100], [100, 250, 9000], { flutter: open })).toEqual([1, 0, 0]);
  });

  it('finds as many pairs as any pairing could, where beats are apart', () => {
    const random = new Random(3);
    for (let round = 0; round < 50; round++) {
      const reference = Array.from(
        { length: 60 },
        (_, i) => 100 * (i + 1) + Math.floor(random.uniform() * 20),
      );
      const detected = reference
        .filter(() => random.uniform() < 0.9)
        .map((at) => at + Math.floor(random.uniform() * 40) - 20)
        .concat(Array.from({ length: 5 }, () => Math.floor(random.uniform() * 6000)))
        .sort((a, b) => a - b);
      const near = detected.filter((at) => reference.some((beat) => Math.abs(at - beat) <= 15));
      const beats = new Set(near.map((at) => reference.findIndex((beat) => Math.abs(at - beat) <= 15)));
      const [tp, fp, fn] = from(reference, detected);
      expect([tp, fp, fn]).toEqual([beats.size, detected.length - beats.size, 60 - beats.size]);
    }
  });
});

it('gross figures count beats alike, average ones records', () => {
  const { gross, average } = overallDetection([
    { tp: 90, fp: 0, fn: 10 },
    { tp: 10, fp: 10, fn: 0 },
  ]);
  expect(gross).toEqual({ tp: 100, fp: 10, fn: 10, sensitivity: 100 / 110, positivePredictivity: 100 / 110 });
  expect(average).toEqual({ sensitivity: 0.95, positivePredictivity: 0.75 });
});
