// What people read: tables, rows of blocks, and the words of usage errors.
import { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { BedsideError } from '../util/index.ts';
import { asBedsideError, examples } from './command-line.ts';
import { macsFraction, ratios } from './options/numbers.ts';
import { criteria } from './options/ranking.ts';
import { higherHalf, meanSparkline, sortedSparkline } from './terminal/sparkline.ts';
import { indent, table } from './terminal/tables.ts';

describe('table', () => {
  it('aligns columns, and leaves no blanks at the ends of lines', () => {
    const text = table(
      ['name', '>count'],
      [
        ['a', '1'],
        ['longer', '1000'],
      ],
    );
    expect(text).toBe('name    count\na           1\nlonger   1000');
    expect(indent('a\n\nb')).toBe('  a\n\n  b');
  });
});

describe('sortedSparkline', () => {
  it('sorts, and scales to the highest', () => {
    expect(sortedSparkline([0, 7, 3.5], 10)).toBe('█▅▁');
    expect(sortedSparkline([0, 0], 10)).toBe('▁▁');
  });

  it('averages neighbours when there are more values than columns', () => {
    // 8 6 4 0 in two columns: 7 and 2, of 7.
    expect(sortedSparkline([4, 8, 0, 6], 2)).toBe('█▃');
    expect(sortedSparkline(new Float64Array(1000).fill(1), 48)).toBe('█'.repeat(48));
  });
});

describe('meanSparkline', () => {
  it('keeps the order, with blanks where there is nothing', () => {
    expect(meanSparkline([7, Number.NaN, 0, 3.5], 7)).toBe('█ ▁▅');
    expect(meanSparkline([0], 0)).toBe('▁');
  });
});

describe('higherHalf', () => {
  it('is the share of the larger half', () => {
    expect(higherHalf([1, 2, 3, 4])).toBe(0.7);
    expect(higherHalf([5])).toBe(1);
    expect(higherHalf([0, 0])).toBe(0);
  });
});

describe('option values', () => {
  it('reads ratios, ascending and once each', () => {
    expect(ratios('.5,0.1,0, .1')).toEqual([0, 0.1, 0.5]);
    for (const bad of ['1', '-.1', 'x', '', '.1,,.2', 'NaN', 'Infinity', '0x1,'])
      expect(() => ratios(bad), bad).toThrow();
  });

  it('reads a share of MACs in (0, 1]', () => {
    expect(macsFraction('1')).toBe(1);
    for (const bad of ['0', '1.01', '-1', 'half']) expect(() => macsFraction(bad), bad).toThrow();
  });

  it('reads criteria once each, and lists the known ones', () => {
    expect(criteria('l1,random,l1').map(({ name }) => name)).toEqual(['l1', 'random']);
    expect(() => criteria('l1,none')).toThrowError(expect.objectContaining({ code: 'E_CRITERION' }));
  });
});

describe('asBedsideError', () => {
  it('keeps coded errors as they are', () => {
    const error = new BedsideError('E_DATA', 'odd');
    expect(asBedsideError(error)).toBe(error);
  });

  it("makes commander's suggestion the hint", () => {
    const error = new CommanderError(
      1,
      'commander.unknownOption',
      "error: unknown option '--dat'\n(Did you mean --data?)",
    );
    expect(asBedsideError(error)).toMatchObject({
      code: 'E_USAGE',
      message: "unknown option '--dat'",
      hint: 'Did you mean --data?',
    });
  });

  it('points to the help of the command otherwise', () => {
    const error = new CommanderError(
      1,
      'commander.missingArgument',
      "error: missing required argument 'model'",
    );
    expect(asBedsideError(error, 'prune').hint).toContain('bedside prune --help');
    expect(asBedsideError(error).hint).toContain('bedside --help');
  });

  it.each([new TypeError('x is not a function'), 'thrown text', undefined])('calls %s a defect', (thrown) => {
    const told = asBedsideError(thrown);
    expect(told.code).toBe('E_INTERNAL');
    expect(told.message).toContain('defect');
    expect(told.hint).toContain('BEDSIDE_DEBUG');
  });
});

describe('examples', () => {
  it('aligns what they do', () => {
    expect(examples(['a', 'one'], ['bcd', 'two'])).toBe('\nExamples:\n  a    # one\n  bcd  # two');
  });
});
