// The bounds of what a device remembers of requests and requesters.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type FloatTensor, tensor } from '../../engine/index.ts';
import type { Assignment, TensorMessage } from '../protocol/messages.ts';
import { EarlyMessages } from './early-messages.ts';
import { MAX_REMEMBERED, MAX_REQUESTERS, MAX_RUNNING, RequestRegistry } from './request-registry.ts';

const floats = (count: number): FloatTensor => tensor(new Float32Array(count), [count]);

function told(requester: string, request: string, given: Partial<Assignment> = {}): Assignment {
  const segments = [
    { device: 'me', from: 0, to: 1 },
    { device: 'other', from: 1, to: 2 },
  ];
  const stages = [0, 1].map((index) => ({ index, segments }));
  return {
    ...{ requester, request, epoch: 0, bundle: 'b', plan: { levels: [0], stages } },
    ...{ samples: 1, remaining: 1000, ...given },
  };
}

describe('requests on a device', () => {
  const books: RequestRegistry[] = [];
  afterEach(() => {
    for (const book of books.splice(0)) book.clear();
  });
  function bookOf(memory?: number) {
    const forgotten: string[] = [];
    const book = new RequestRegistry('me', memory, ({ request, epoch }) =>
      forgotten.push(`${request} ${epoch}`),
    );
    books.push(book);
    return { book, forgotten };
  }

  it('are their requesters’: the same id of another is another, and nobody else ends or moves one', () => {
    const { book, forgotten } = bookOf();
    const running = book.open(told('a', 'r'));
    book.end('b', 'r');
    expect(book.find('b', 'r', 0)).toBe('early');
    book.open(told('b', 'r', { epoch: 1e9 }));
    expect(book.find('a', 'r', 0)).toBe(running);
    expect(book.find('a', 'r', 1)).toBe('early');
    const next = book.open(told('a', 'r', { epoch: 1 }));
    expect([book.find('a', 'r', 0), book.find('a', 'r', 1)]).toEqual(['dead', next]);
    book.end('a', 'r');
    expect([book.find('a', 'r', 1), book.find('a', 'r', 7)]).toEqual(['dead', 'dead']);
    expect(forgotten).toEqual(['r 0', 'r 1']);
  });

  it('are so many of one requester, and of so many requesters; those of others stay', () => {
    const { book } = bookOf();
    const kept = book.open(told('a', 'r'));
    for (let at = 0; at < MAX_RUNNING; at++) book.open(told('greedy', `r${at}`));
    expect(() => book.open(told('greedy', 'more'))).toThrow(/2048 requests of 'greedy'/);
    expect(() => book.open(told('b', 'r'))).not.toThrow();
    for (let at = 0; at < 3 * MAX_REQUESTERS; at++) book.addRequester(`idle ${at}`);
    expect(book.requesters).toHaveLength(MAX_REQUESTERS);
    expect(book.find('a', 'r', 0)).toBe(kept);
    for (let at = 0; at < MAX_REQUESTERS - 3; at++) book.open(told(`busy ${at}`, 'r'));
    expect(() => book.open(told('one more', 'r'))).toThrow(/256 requesters/);
    expect(book.find('a', 'r', 0)).toBe(kept);
  });

  it('are remembered when they have ended, so many of each requester', () => {
    const { book } = bookOf();
    book.open(told('a', 'r'));
    book.end('a', 'r');
    book.addRequester('b');
    for (let at = 0; at < 3 * MAX_REMEMBERED; at++) book.end('b', `r${at}`);
    expect(book.find('a', 'r', 0)).toBe('dead');
    expect(book.find('b', 'r0', 0)).toBe('early');
    expect(book.find('b', `r${3 * MAX_REMEMBERED - 1}`, 0)).toBe('dead');
  });

  it('hold parts within the memory of the device, of one requester half of it', () => {
    // 16 MiB at least.
    const { book } = bookOf(1);
    const megabyte = 1 << 18;
    const greedy = Array.from({ length: 9 }, (_, at) => book.open(told('greedy', `r${at}`)));
    for (const running of greedy.slice(0, 8)) book.addTensor(running, 0, 0, floats(megabyte));
    expect(() => book.addTensor(greedy[8] as never, 0, 0, floats(megabyte))).toThrow(/no room .* 'greedy'/);
    const other = book.open(told('a', 'r'));
    book.open(told('a', 's'));
    expect(() => book.addTensor(other, 0, 0, floats(megabyte))).not.toThrow();
    // Duplicates are ignored, and requests that end free their memory.
    book.addTensor(greedy[0] as never, 0, 0, floats(megabyte));
    book.end('greedy', 'r1');
    expect(() => book.addTensor(greedy[8] as never, 0, 0, floats(megabyte))).not.toThrow();
    book.end('greedy', 'r2');
    book.addTensor(greedy[0] as never, 0, 1, floats(1));
    expect(book.takeComplete(greedy[0] as never, 0)?.map(({ data }) => data.length)).toEqual([megabyte, 1]);
    expect(book.takeComplete(greedy[0] as never, 0)).toBeUndefined();
  });

  it('end a while after their deadline, however far that is said to be', () => {
    const { book } = bookOf();
    const day = 86_400_000;
    for (const remaining of [1e300, Number.NaN, -5]) {
      const { end } = book.open(told('a', `r ${remaining}`, { remaining }));
      expect(end - performance.now()).toBeLessThanOrEqual(remaining > 0 ? day : 0);
    }
  });
});

describe('parts that come too early', () => {
  function partOf(request: string, size: number, given: Partial<TensorMessage> = {}): TensorMessage {
    return {
      ...{ kind: 'part', request, epoch: 0, requester: 'a', stage: 0, segment: 0, remaining: 60_000 },
      ...{ tensor: floats(size), ...given },
    };
  }

  it('wait for their request and epoch', () => {
    const early = new EarlyMessages();
    for (const part of [partOf('r', 1), partOf('r', 2, { epoch: 1 }), partOf('s', 3)]) early.add('b', part);
    early.add('c', partOf('r', 4));
    const sizes = early.take('a', 'r', 0).map(({ from, part }) => `${from} ${part.tensor.data.length}`);
    expect(sizes).toEqual(['b 1', 'c 4']);
    expect(early.take('x', 's', 0)).toEqual([]);
    expect(early.held.parts).toBe(2);
    early.clear();
    expect(early.held).toEqual({ bytes: 0, parts: 0 });
  });

  it('are held within bounds, and who sends most loses them first', () => {
    const early = new EarlyMessages({ memory: 100_000, most: 50 });
    early.add('honest', partOf('r', 1000));
    for (let at = 0; at < 1000; at++) early.add('greedy', partOf(`large ${at}`, 5000));
    for (let at = 0; at < 1000; at++) early.add('many', partOf(`small ${at}`, 0));
    expect(early.held.bytes).toBeLessThanOrEqual(100_000);
    expect(early.held.parts).toBeLessThanOrEqual(50);
    // A message that is larger than the bound is not kept.
    early.add('huge', partOf('huge', 100_000));
    expect(early.take('a', 'huge', 0)).toEqual([]);
    expect(early.take('a', 'r', 0)).toHaveLength(1);
    early.clear();
  });

  it('wait a moment, and no longer than their request', async () => {
    const early = new EarlyMessages({ patience: 40 });
    early.add('b', partOf('gone', 1, { remaining: 0 }));
    expect(early.take('a', 'gone', 0)).toEqual([]);
    early.add('b', partOf('r', 1));
    while (early.held.parts > 0) await sleep(5);
    expect(early.take('a', 'r', 0)).toEqual([]);
  });
});
