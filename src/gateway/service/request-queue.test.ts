// The bounds of the queue before the devices, and what happens to those who give up.
import { describe, expect, it } from 'vitest';
import { JoinedRequests } from './joined-requests.ts';
import { RequestQueue } from './request-queue.ts';

/** Work that ends when it is told to. */
function held<T>(value: T): {
  readonly work: () => Promise<T>;
  readonly end: () => void;
  readonly started: () => boolean;
} {
  let end = (): void => {};
  let started = false;
  const ended = new Promise<void>((done) => {
    end = done;
  });
  const work = async (): Promise<T> => {
    started = true;
    await ended;
    return value;
  };
  return { work, end: () => end(), started: () => started };
}

const never = (): AbortSignal => new AbortController().signal;

describe('the queue', () => {
  it('runs so many at a time, in the order of arrival, and turns away what is more than may wait', async () => {
    const queue = new RequestQueue({ running: 2, waiting: 1 });
    const [a, b, c] = [held('a'), held('b'), held('c')];
    const answers = [a, b, c].map(({ work }) => queue.run(work, never()));
    expect([queue.running, queue.depth]).toEqual([2, 1]);
    await expect(queue.run(held('d').work, never())).rejects.toMatchObject({ code: 'E_BUSY' });
    expect(c.started()).toBe(false);
    b.end();
    await answers[1];
    await new Promise(setImmediate);
    expect(c.started()).toBe(true);
    a.end();
    c.end();
    expect((await Promise.all(answers)).map(({ result }) => result)).toEqual(['a', 'b', 'c']);
    expect([queue.running, queue.depth]).toEqual([0, 0]);
  });

  it('never runs what was given up while it waited', async () => {
    const queue = new RequestQueue({ running: 1, waiting: 2 });
    const [a, b, c] = [held('a'), held('b'), held('c')];
    const gone = new AbortController();
    const first = queue.run(a.work, never());
    const second = queue.run(b.work, gone.signal);
    const third = queue.run(c.work, never());
    gone.abort();
    await expect(second).rejects.toMatchObject({ code: 'E_CANCELLED' });
    a.end();
    c.end();
    await Promise.all([first, third]);
    expect(b.started()).toBe(false);
  });

  it('goes on after work that fails, and ends when it is drained', async () => {
    const queue = new RequestQueue({ running: 1, waiting: 2 });
    await expect(queue.run(() => Promise.reject(new Error('no')), never())).rejects.toThrow('no');
    const a = held('a');
    const answer = queue.run(a.work, never());
    const drained = queue.drain();
    await expect(queue.run(a.work, never())).rejects.toMatchObject({ code: 'E_BUSY' });
    a.end();
    await drained;
    expect((await answer).result).toBe('a');
  });
});

describe('requests under one id', () => {
  it('share an answer, and are cancelled when all who wait have gone', async () => {
    const joined = new JoinedRequests<string>(10, 2);
    const [one, two] = [new AbortController(), new AbortController()];
    let cancelled = false;
    const work = held('a');
    const start = (signal: AbortSignal): Promise<string> => {
      signal.addEventListener('abort', () => {
        cancelled = true;
      });
      return work.work();
    };
    const first = joined.join('id', 'hash', one.signal, start);
    const second = joined.join('id', 'hash', two.signal, () => Promise.reject(new Error('twice')));
    expect([first.joined, second.joined]).toEqual([false, true]);
    one.abort();
    expect(cancelled).toBe(false);
    two.abort();
    expect(cancelled).toBe(true);
    work.end();
    expect(await second.answer).toBe('a');
  });

  it('are other requests with other content, after a failure, and when too many came between', async () => {
    const joined = new JoinedRequests<number>(10, 2);
    const run = (id: string, hash: string, value: number) =>
      joined.join(id, hash, never(), () => Promise.resolve(value)).answer;
    expect(await run('a', 'x', 1)).toBe(1);
    expect(await run('a', 'x', 2)).toBe(1);
    expect(await run('a', 'y', 3)).toBe(3);
    await expect(
      joined.join('b', 'x', never(), () => Promise.reject(new Error('no'))).answer,
    ).rejects.toThrow('no');
    expect(await run('b', 'x', 4)).toBe(4);
    await run('c', 'x', 5);
    expect(await run('a', 'y', 6)).toBe(6);
  });
});
