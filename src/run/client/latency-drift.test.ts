import { describe, expect, it } from 'vitest';
import { LatencyDrift } from './latency-drift.ts';

describe('drift of a plan', () => {
  const note = (drift: LatencyDrift, seconds: number, times: number): boolean[] =>
    Array.from({ length: times }, () => drift.record(seconds));

  it('is reported when the median of the latest requests is longer or shorter than at first', () => {
    for (const factor of [1.6, 0.6]) {
      const drift = new LatencyDrift();
      expect(note(drift, 1, 40)).not.toContain(true);
      // Half of the latest are not yet most of them.
      expect(note(drift, factor, 7)).not.toContain(true);
      expect(note(drift, factor, 10)).toContain(true);
    }
  });

  it('is not reported for a few slow requests, nor for a new plan', () => {
    const drift = new LatencyDrift();
    note(drift, 1, 24);
    expect(note(drift, 50, 7)).not.toContain(true);
    drift.reset();
    expect(note(drift, 50, 40)).not.toContain(true);
  });
});
