// How a class prior is typed, and what is refused.
import { describe, expect, it } from 'vitest';
import { parseClassPrior } from './class-prior.ts';

describe('parseClassPrior', () => {
  it('reads names and numbers, each behind the last colon', () => {
    expect([...parseClassPrior('N:9, V:1')]).toEqual([
      ['N', 9],
      ['V', 1],
    ]);
    expect([...parseClassPrior('2:.5,a:b:1.5')]).toEqual([
      ['2', 0.5],
      ['a:b', 1.5],
    ]);
  });

  it.each(['', 'N', 'N:', ':1', 'N:x', 'N:-1', 'N:1,,V:1', 'N:1,N:2', 'N:0,V:0', 'N:Infinity'])(
    "refuses '%s'",
    (text) => {
      expect(() => parseClassPrior(text)).toThrow();
    },
  );
});
