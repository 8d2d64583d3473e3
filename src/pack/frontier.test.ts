// How many level vectors are measured unless that is said.
import { describe, expect, it } from 'vitest';
import { defaultVariants } from './frontier.ts';

describe('the number of variants', () => {
  it('follows from the work, within bounds', () => {
    expect(defaultVariants(0)).toBe(128);
    // An ECG network of 15 million multiply-accumulates on 500 samples.
    expect(defaultVariants(15e6 * 500)).toBe(128);
    expect(defaultVariants(148e6 * 600)).toBe(34);
    // A VGG-16 of half width at 64 x 64, and a ResNet-50 at 224 x 224.
    expect(defaultVariants(313e6 * 600)).toBe(30);
    expect(defaultVariants(4.1e9 * 600)).toBe(30);
  });
});
