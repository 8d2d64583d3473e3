import { expect, it } from 'vitest';
import { softmax } from './softmax.ts';

it('gives shares of the exponentials, also of scores that would overflow', () => {
  const shares = softmax([0, Math.log(3)]);
  expect(shares[0]).toBeCloseTo(0.25, 12);
  expect(shares[1]).toBeCloseTo(0.75, 12);
  expect(Array.from(softmax([1000, 1000]))).toEqual([0.5, 0.5]);
});
