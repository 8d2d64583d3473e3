// What is said of the data beside a result: once in words, and in the JSON object.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Output } from './output.ts';

afterEach(() => vi.restoreAllMocks());

/** Runs `work` with an output, and gives what it wrote. */
function written(work: (output: Output) => void, options = { json: true }): { out: string; err: string } {
  const texts = { out: '', err: '' };
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    texts.out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    texts.err += String(text);
    return true;
  });
  work(new Output(options));
  return texts;
}

describe('Output', () => {
  it('adds remarks and what was passed over to the result, each once', () => {
    const skipped = {
      reason: 'files ending in .dcm, which are not read',
      count: 7,
      examples: ['a', 'b', 'c', 'd', 'e'],
    };
    const { out, err } = written((output) => {
      for (let i = 0; i < 2; i++) {
        output.remark('something was assumed');
        output.skip(skipped);
      }
      output.signals({ rate: 360, leads: { MLII: 2 } });
      output.result({ n: 3 });
    });
    expect(JSON.parse(out)).toEqual({
      n: 3,
      signals: { rate: 360, leads: { MLII: 2 } },
      remarks: ['something was assumed'],
      skipped: [skipped],
    });
    expect(err).toBe(
      'something was assumed\npassed over: 7 files ending in .dcm, which are not read (a, b, c, d, e, ...)\n',
    );
  });

  it('adds nothing where there is nothing to say', () => {
    expect(written((output) => output.result({ n: 3 }))).toEqual({ out: '{"n":3}\n', err: '' });
  });
});
