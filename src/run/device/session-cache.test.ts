import { describe, expect, it } from 'vitest';
import { MAX_SESSIONS, SessionCache } from './session-cache.ts';

function cache(budget: number) {
  const released: string[] = [];
  const made: string[] = [];
  const sessions = new SessionCache<string>('monitor', budget, async (value) => {
    released.push(value);
  });
  const get = (key: string, request: string, weightBytes = 10, activationBytes = 5) =>
    sessions.acquire(key, request, { weightBytes, activationBytes }, async () => {
      made.push(key);
      return key;
    });
  return { sessions, get, made, released };
}

describe('sessions under a budget', () => {
  it('are made once, also when asked for at the same time', async () => {
    const { get, made } = cache(100);
    await Promise.all([get('a', 'r1'), get('a', 'r2')]);
    await get('a', 'r3');
    expect(made).toEqual(['a']);
  });

  it('go least recently used first, and share activations', async () => {
    const { sessions, get, released } = cache(25);
    for (const key of ['a', 'b', 'a', 'c']) {
      await get(key, key);
      sessions.unpin(key);
    }
    expect(released).toEqual(['b']);
    expect(sessions.keys).toEqual(['a', 'c']);
    expect(sessions.used).toBe(25);
  });

  it('stay while a request runs, and what does not fit beside them is refused', async () => {
    const { sessions, get, released } = cache(25);
    await get('a', 'one');
    await get('b', 'two');
    await expect(get('c', 'two')).rejects.toMatchObject({
      code: 'E_DEVICE',
      message: expect.stringContaining("'monitor'"),
    });
    expect(released).toEqual([]);
    sessions.unpin('one');
    await get('c', 'two');
    expect(released).toEqual(['a']);
  });

  it('need more room for a larger batch, and go when told unless a request needs them', async () => {
    const { sessions, get, released } = cache(30);
    await get('a', 'one');
    await get('b', 'two');
    sessions.unpin('two');
    expect(sessions.used).toBe(25);
    await get('a', 'one', 10, 20);
    expect([released, sessions.used]).toEqual([['b'], 30]);
    await expect(get('a', 'three', 10, 21)).rejects.toMatchObject({ code: 'E_DEVICE' });
    await sessions.discard('a');
    expect(sessions.keys).toEqual(['a']);
    for (const request of ['one', 'three']) sessions.unpin(request);
    await sessions.discard('a');
    expect([released, sessions.used]).toEqual([['b', 'a'], 0]);
  });

  it('are no more than so many, also where memory has no limit; those of running requests stay', async () => {
    const { sessions, get } = cache(Number.POSITIVE_INFINITY);
    await get('kept', 'running');
    for (let at = 0; at < MAX_SESSIONS + 50; at++) {
      await get(`${at}`, 'r');
      sessions.unpin('r');
    }
    expect(sessions.keys).toHaveLength(MAX_SESSIONS);
    expect(sessions.has('kept')).toBe(true);
  });

  it('that could not be made are made anew', async () => {
    const sessions = new SessionCache<number>('monitor', 10, async () => {});
    const bytes = { weightBytes: 1, activationBytes: 1 };
    await expect(sessions.acquire('a', 'r', bytes, () => Promise.reject(new Error('no')))).rejects.toThrow(
      'no',
    );
    expect(await sessions.acquire('a', 'r', bytes, async () => 3)).toBe(3);
  });

  it('are released at the end', async () => {
    const { sessions, get, released } = cache(100);
    await get('a', 'r');
    await sessions.close();
    expect([released, sessions.used]).toEqual([['a'], 0]);
  });
});
