import { describe, expect, it } from 'vitest';
import { ShapedLinks } from './shaping.ts';

describe('shaped links', () => {
  it('take their time for bytes, one thing after another, and the latency on top', () => {
    const links = new ShapedLinks({
      bytesPerSecond: 1000,
      latency: 0.01,
      to: { near: { bytesPerSecond: 1e6 } },
    });
    expect(links.delay('far', 500, 0)).toBeCloseTo(510);
    expect(links.delay('far', 500, 100)).toBeCloseTo(910);
    expect(links.delay('near', 500, 100)).toBeCloseTo(10.5);
    expect(links.delay('far', 500, 5000)).toBeCloseTo(510);
  });

  it('that are not shaped wait for nothing', () => {
    expect(new ShapedLinks().delay('far', 1e9, 0)).toBe(0);
  });
});
