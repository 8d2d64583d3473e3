import { describe, expect, it } from 'vitest';
import { EmulatedLinks, newSharedChannel } from './link-emulation.ts';

describe('emulated links', () => {
  it('carry one message after another at their bandwidth, plus the latency', () => {
    const links = new EmulatedLinks({
      bytesPerSecond: 1000,
      latency: 0.01,
      to: { near: { bytesPerSecond: 1e6 } },
    });
    expect(links.delay('far', 500, 0)).toBeCloseTo(510);
    expect(links.delay('far', 500, 100)).toBeCloseTo(910);
    expect(links.delay('near', 500, 100)).toBeCloseTo(10.5);
    expect(links.delay('far', 500, 5000)).toBeCloseTo(510);
  });

  it('without limits delay nothing', () => {
    expect(new EmulatedLinks().delay('far', 1e9, 0)).toBe(0);
  });

  it('on one channel wait for each other', () => {
    let now = 0;
    const air = newSharedChannel(() => now);
    expect([air(10), air(5)]).toEqual([10, 15]);
    now = 12;
    expect(air(5)).toBe(8);
    now = 100;
    expect(air(5)).toBe(5);
  });
});
