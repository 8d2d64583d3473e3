// Many samples of one request: in order, so many at a time, and over at the first failure.
import { expect, it } from 'vitest';
import { eachWithin } from './each-within.ts';

const never = new AbortController().signal;

it('keeps the order and the bound', async () => {
  let running = 0;
  let most = 0;
  const items = Array.from({ length: 30 }, (_, i) => i);
  const results = await eachWithin(items, 4, never, async (i) => {
    most = Math.max(most, ++running);
    await new Promise((done) => setImmediate(done));
    running--;
    return i * i;
  });
  expect(results).toEqual(items.map((i) => i * i));
  expect(most).toBe(4);
});

it('cancels what runs at the first failure, and starts nothing more', async () => {
  const started: number[] = [];
  let cancelled = 0;
  const all = eachWithin([0, 1, 2, 3, 4, 5], 3, never, async (i, signal) => {
    started.push(i);
    if (i === 1) throw new Error('first');
    await new Promise<void>((_, reject) => {
      signal.addEventListener('abort', () => {
        cancelled++;
        reject(new Error('later'));
      });
    });
  });
  await expect(all).rejects.toThrow('first');
  expect([started, cancelled]).toEqual([[0, 1, 2], 2]);
});
