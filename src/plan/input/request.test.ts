import { describe, expect, it } from 'vitest';
import { completeRequest, maxSeenOf, parseRequest, REQUEST_DEFAULTS } from './request.ts';

describe('a request', () => {
  it('takes each field from the first that says it, then the defaults', () => {
    const request = completeRequest({ deadline: 1 }, { deadline: 2, privacy: 'open' });
    expect(request).toEqual({ ...REQUEST_DEFAULTS, deadline: 1, privacy: 'open' });
  });

  it('lets a nearer preset replace shares, and a nearer drop replace a floor', () => {
    const request = completeRequest(
      { privacy: 'late', accuracyDrop: 0.1 },
      { maxSeen: [1, 1], accuracyFloor: 0.9 },
    );
    expect([request.maxSeen, request.accuracyFloor]).toEqual([undefined, undefined]);
    expect(completeRequest({ maxSeen: [1] }, { privacy: 'open' }).maxSeen).toEqual([1]);
  });

  it('has presets by depth', () => {
    const seen = (privacy: 'strict' | 'late' | 'open') => maxSeenOf({ privacy }, 5);
    expect(seen('strict')).toEqual([0, 0, 0, 0, 0]);
    expect(seen('late')).toEqual([0, 0, 0, 1, 1]);
    expect(seen('open')).toEqual([1, 1, 1, 1, 1]);
    expect(maxSeenOf({ privacy: 'strict', maxSeen: [0, 0.5] }, 2)).toEqual([0, 0.5]);
  });

  it.each([
    [
      '{"deadline": 0}',
      /deadline is 0: expected a number from 0.000001|deadline is 0: expected a number from 1e-6/,
    ],
    ['{"accuracyFloor": 1.2}', /accuracyFloor is 1.2: expected a number from 0 to 1/],
    ['{"maxSeen": [0.5, -1]}', /maxSeen\[1\] is -1/],
    ['{"weights": {"time": -1, "energy": 0, "accuracy": 0}}', /weights.time is -1/],
    ['{"privacy": "none"}', /privacy is "none": expected 'strict', 'late', 'open'/],
    ['{"speed": 1}', /unknown field 'speed'/],
    ['[', /not JSON/],
  ])('refuses %s', (text, message) => {
    expect(() => parseRequest(text)).toThrow(message);
  });
});
