// Numbers at the borders of their units.
import { describe, expect, it } from 'vitest';
import {
  counted,
  firstOf,
  formatBytes,
  formatCount,
  formatJoules,
  formatPercent,
  formatSeconds,
} from './format.ts';

describe('numbers as people read them', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [1023 * 1024, '1023 KiB'],
    [1024 * 1024 - 1, '1.00 MiB'],
    [1.5 * 2 ** 20, '1.50 MiB'],
    [5000 * 2 ** 40, '5000 TiB'],
  ])('%d bytes: %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [999, '999'],
    [12_345, '12.3 k'],
    [999_400, '999 k'],
    [999_600, '1.00 M'],
    [2.5e15, '2500 T'],
  ])('a count of %d: %s', (count, text) => expect(formatCount(count)).toBe(text));

  it.each([
    [35e-5, '350 µs'],
    [0.0123, '12.3 ms'],
    [0.99996, '1000 ms'],
    [4.2, '4.20 s'],
    [119.9, '120 s'],
    [200, '3 min 20 s'],
    [239.7, '4 min 0 s'],
  ])('%d seconds: %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text));

  it('joules and percentages', () => {
    expect([35e-5, 0.0123, 4.2, 123_456].map(formatJoules)).toEqual([
      '350 µJ',
      '12.3 mJ',
      '4.20 J',
      '123456 J',
    ]);
    expect(formatPercent(0.98444)).toBe('98.4 %');
  });

  it('counts and lists', () => {
    expect([counted(1, 'record'), counted(0, 'record'), counted(3, 'record')]).toEqual([
      '1 record',
      '0 records',
      '3 records',
    ]);
    expect(firstOf(['a', 'b', 'c'], 3)).toBe('a, b, c');
    expect(firstOf(['a', 'b', 'c', 'd'], 2)).toBe('a, b and 2 more');
    expect(firstOf([], 2)).toBe('');
  });
});
