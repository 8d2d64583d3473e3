import { describe, expect, it } from 'vitest';
import { hexOf, type Rgb, relevanceColour, relevanceScale, scaled } from './colour-map.ts';

const STEPS = Array.from({ length: 50 }, (_, i) => (i + 1) / 50);

describe('relevanceColour', () => {
  it('is white at zero, and only there', () => {
    expect(relevanceColour(0)).toEqual([255, 255, 255]);
    expect(relevanceColour(-0)).toEqual([255, 255, 255]);
    for (const size of STEPS) {
      expect(hexOf(relevanceColour(size))).not.toBe('#ffffff');
      expect(hexOf(relevanceColour(-size))).not.toBe('#ffffff');
    }
  });

  it('is red above zero and blue below', () => {
    for (const size of STEPS) {
      const [red, , redsBlue] = relevanceColour(size);
      const [bluesRed, , blue] = relevanceColour(-size);
      expect(red).toBeGreaterThan(redsBlue);
      expect(blue).toBeGreaterThan(bluesRed);
    }
  });

  it('is symmetric: equally light on both sides, darker the larger', () => {
    let [lastRed, lastBlue] = [1, 1];
    for (const size of STEPS) {
      const [red, blue] = [luminance(relevanceColour(size)), luminance(relevanceColour(-size))];
      expect(Math.abs(red - blue)).toBeLessThan(0.03);
      expect(red).toBeLessThan(lastRed);
      expect(blue).toBeLessThan(lastBlue);
      [lastRed, lastBlue] = [red, blue];
    }
  });

  // Full loss of the middle, long or short cones: Machado, Oliveira and Fernandes, IEEE TVCG 15(6), 2009, severity 1.
  it.each([
    [
      'deuteranopia',
      [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
    ],
    [
      'protanopia',
      [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
    ],
    [
      'tritanopia',
      [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
    ],
  ])('tells its sides apart with %s', (_, matrix) => {
    const seen = (rgb: Rgb): number[] => {
      const linear = rgb.map(decoded);
      return [0, 1, 2].map((row) =>
        linear.reduce((sum, value, column) => sum + (matrix[3 * row + column] as number) * value, 0),
      );
    };
    for (const size of [0.3, 0.6, 1]) {
      const [red, blue] = [seen(relevanceColour(size)), seen(relevanceColour(-size))];
      // The opponent signal that is left: blue against yellow, or red against green.
      const axis = (rgb: readonly number[]) =>
        _ === 'tritanopia'
          ? (rgb[0] as number) - (rgb[1] as number)
          : (rgb[2] as number) - (rgb[1] as number);
      expect(Math.abs(axis(red) - axis(blue))).toBeGreaterThan(0.1);
    }
  });

  it('takes the ends for what lies outside, and white for what is no number', () => {
    expect(relevanceColour(7)).toEqual(relevanceColour(1));
    expect(relevanceColour(Number.NEGATIVE_INFINITY)).toEqual(relevanceColour(-1));
    expect(relevanceColour(Number.NaN)).toEqual([255, 255, 255]);
  });
});

describe('relevanceScale', () => {
  it('is the 99.5th percentile of the absolute values', () => {
    // 1 to 1000 in another order, every third negative: the 995th.
    const values = Array.from({ length: 1000 }, (_, i) => (((i * 7) % 1000) + 1) * (i % 3 === 0 ? -1 : 1));
    expect(relevanceScale(values)).toBe(995);
  });

  it('falls back to the maximum when nearly all is zero, and to zero when all is', () => {
    const values = new Float32Array(1000);
    expect(relevanceScale(values)).toBe(0);
    values[3] = -2;
    expect(relevanceScale(values)).toBe(2);
    expect(relevanceScale([])).toBe(0);
    expect(scaled(3, 0)).toBe(0);
    expect(scaled(-1, 2)).toBe(-0.5);
  });
});

function luminance(rgb: Rgb): number {
  const [r = 0, g = 0, b = 0] = rgb.map(decoded);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function decoded(value: number): number {
  const unit = value / 255;
  return unit <= 0.04045 ? unit / 12.92 : ((unit + 0.055) / 1.055) ** 2.4;
}
