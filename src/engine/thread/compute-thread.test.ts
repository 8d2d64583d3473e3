import { setImmediate } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { largestDifference, Net } from '../../channels/test-support/net.ts';
import { createSession, type Session, tensor } from '../index.ts';
import { ComputeThread } from './compute-thread.ts';

describe('sessions in a thread of their own', () => {
  const thread = new ComputeThread();
  afterAll(() => thread.close());
  // 64 channels of 96 x 96, eight times over: tens of milliseconds.
  const net = new Net([64, 96, 96]);
  let value = net.input;
  for (let at = 0; at < 8; at++) value = net.relu(net.conv(`c${at}`, value, 64, 64));
  const model = net.finish(value);
  const [input = ''] = model.graph.inputs.map(({ name }) => name);
  // A view of a larger buffer, of which only its own numbers count.
  const data = Float32Array.from({ length: 2 * 64 * 96 * 96 }, (_, i) => Math.sin(i)).subarray(64 * 96 * 96);
  const feeds = { [input]: tensor(data, [1, 64, 96, 96]) };

  async function turnsWhileRunning(session: Session): Promise<number> {
    let [turns, done] = [0, false];
    const ran = session.run(feeds).finally(() => {
      done = true;
    });
    for (; !done; turns++) await setImmediate();
    await ran;
    return turns;
  }

  it('give the same, and leave the thread that asks free meanwhile', async () => {
    const here = await createSession(model, { name: 'net' });
    const there = await thread.createSession(model, { name: 'net' });
    const [a, b] = [await here.run(feeds), await there.run(feeds)];
    const [[same], [found]] = [Object.values(a), Object.values(b)];
    expect(found?.dims).toEqual(same?.dims);
    expect(largestDifference(found?.data as Float32Array, same?.data as Float32Array)).toBe(0);
    expect(there.inputNames).toEqual(here.inputNames);
    // On the same thread nothing else happens; this is why there is another.
    expect(await turnsWhileRunning(here)).toBeLessThan(5);
    expect(await turnsWhileRunning(there)).toBeGreaterThan(50);
    // What was given is still the asker's.
    expect(data[5]).toBe(Math.fround(Math.sin(64 * 96 * 96 + 5)));
    await here.release();
    await there.release();
  });

  it('fail as they do elsewhere', async () => {
    await expect(thread.createSession(new Uint8Array(8), { name: 'none' })).rejects.toMatchObject({
      code: 'E_ENGINE',
      message: expect.stringContaining('none'),
      hint: expect.any(String),
    });
    const session = await thread.createSession(model, { name: 'net' });
    await expect(session.run({ [input]: tensor(data, [2, 64, 96, 48]) })).rejects.toMatchObject({
      code: 'E_ENGINE',
    });
    await session.release();
    await expect(session.run(feeds)).rejects.toMatchObject({ code: 'E_INTERNAL' });
  });

  it('refuse after their end', async () => {
    const other = new ComputeThread();
    await other.close();
    await expect(other.createSession(model, { name: 'net' })).rejects.toMatchObject({ code: 'E_INTERNAL' });
  });
});
