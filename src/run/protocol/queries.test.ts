// How long a coordinator waits for replies.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BedsideError } from '../../util/index.ts';
import { PendingQueries } from './queries.ts';

describe('a query', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  function asked(limits = { silence: 10, standstill: 30, total: 100 }) {
    const silent: (readonly [string, string])[] = [];
    const questions = new PendingQueries((to, why) => {
      silent.push([to, why]);
      questions.lose(new BedsideError('E_LOST', why), to);
    }, limits);
    const ends: string[] = [];
    const ask = (to: string, id: string): void => {
      questions.ask(to, { kind: 'measure', id, bundle: 'b' }).then(
        ({ kind }) => ends.push(`${id} ${kind}`),
        () => ends.push(`${id} lost`),
      );
    };
    return { questions, silent, ends, ask };
  }

  it('is given up when its device says nothing; those of others go on', async () => {
    const { questions, silent, ends, ask } = asked();
    ask('a', '1');
    ask('b', '2');
    for (let at = 0; at < 9; at++) {
      await vi.advanceTimersByTimeAsync(9);
      questions.receive('b', { kind: 'working', id: '2', progress: at });
      // A device cannot report for another that it works on a query.
      questions.receive('b', { kind: 'working', id: '1' });
    }
    expect(ends).toEqual(['1 lost']);
    expect(silent).toEqual([['a', expect.stringContaining('did not answer')]]);
    questions.receive('b', { kind: 'refused', id: '2', error: { code: 'E_DEVICE', message: '' } });
    await vi.advanceTimersByTimeAsync(1000);
    expect(ends).toEqual(['1 lost', '2 refused']);
    expect(silent).toHaveLength(1);
  });

  it('is given up in the end, whatever its device says', async () => {
    const { questions, ends, ask } = asked();
    ask('a', '1');
    for (let at = 0; at < 20; at++) {
      await vi.advanceTimersByTimeAsync(9);
      questions.receive('a', { kind: 'working', id: '1', progress: at });
    }
    expect(ends).toEqual(['1 lost']);
  });

  it.each([
    ['says no more than that', () => undefined],
    ['says the same again and again', () => 7],
    ['says what is no progress', (at: number) => [Number.NaN, -5, 3, 2][at % 4]],
  ])('is given up when its device works on it and does not get on: it %s', async (_, progress) => {
    const { questions, silent, ends, ask } = asked();
    ask('a', '1');
    for (let at = 0; at < 7; at++) {
      questions.receive('a', { kind: 'working', id: '1', progress: progress(at) });
      await vi.advanceTimersByTimeAsync(9);
    }
    expect(ends).toEqual(['1 lost']);
    expect(silent).toEqual([['a', expect.stringContaining('without getting on')]]);
  });
});
