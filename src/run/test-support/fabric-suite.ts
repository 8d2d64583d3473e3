// The tests that every fabric must pass.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tensor } from '../../engine/index.ts';
import { Random } from '../../util/internal.ts';
import { type Endpoint, type Fabric, silenceMs } from '../protocol/fabric.ts';
import type { InputMessage, NodeMessage } from '../protocol/messages.ts';

/** A fabric under test. */
export interface FabricUnderTest {
  readonly fabric: Fabric;
  /** The name of a node on this fabric; default: unchanged. */
  readonly nameOf?: (node: string) => string;
  /** Ends all that belongs to it. */
  close(): Promise<void>;
}

/** An input message with a tensor of these numbers. */
export function partOf(data: Float32Array, dims: readonly number[], segment = 0): InputMessage {
  return {
    kind: 'part',
    request: 'r',
    epoch: 0,
    requester: 'a',
    bundle: 'b',
    plan: { levels: [1, 2], stages: [{ index: 0, segments: [{ device: 'a', from: 0, to: 3 }] }] },
    samples: 1,
    remaining: 1000,
    stage: 0,
    segment,
    tensor: tensor(data, dims),
  };
}

/** Runs the suite on fabrics that `open` makes. */
export function describeFabric(name: string, open: () => Promise<FabricUnderTest>): void {
  describe(`fabric ${name}`, () => {
    let under: FabricUnderTest;
    let ends: Endpoint[];
    beforeEach(async () => {
      under = await open();
      ends = [];
    });
    afterEach(async () => {
      for (const end of ends) await end.close();
      await under.close();
    });

    const nameOf = (node: string): string => under.nameOf?.(node) ?? node;

    async function join(node: string) {
      const got: (readonly [string, NodeMessage])[] = [];
      const lost: string[] = [];
      const found: string[] = [];
      const end = await under.fabric.join(nameOf(node), {
        message: (from, message) => got.push([from, message]),
        lost: (peer) => lost.push(peer),
        found: (peer) => found.push(peer),
      });
      ends.push(end);
      const send = (to: string, message: NodeMessage): void => end.send(nameOf(to), message);
      return { end, send, got, lost, found };
    }

    it('carries tensors of any size bit by bit, in order, and whole', async () => {
      const [a, b] = [await join('a'), await join('b')];
      const random = new Random(1);
      const sizes = [0, 1, 7, 100_000, 3, 1_500_000, 1];
      const sent = sizes.map((size, segment) =>
        partOf(
          Float32Array.from({ length: size }, () => random.normal()),
          [size],
          segment,
        ),
      );
      for (const part of sent) a.send('b', part);
      await until(() => b.got.length === sizes.length);
      b.got.forEach(([from, message], at) => {
        expect(from).toBe(nameOf('a'));
        const { tensor: got, ...rest } = message as InputMessage;
        const { tensor: given, ...said } = sent[at] as InputMessage;
        expect(rest).toEqual(said);
        expect(got.dims).toEqual(given.dims);
        expect(Buffer.compare(Buffer.from(got.data.buffer), Buffer.from(given.data.buffer))).toBe(0);
      });
      expect(a.got).toEqual([]);
    });

    it('carries other messages both ways, also to oneself', async () => {
      const [a, b] = [await join('a'), await join('b')];
      a.send('b', { kind: 'ask', id: '1' });
      b.send('a', { kind: 'end', request: 'é' });
      a.send('a', { kind: 'ask', id: '2' });
      await until(() => a.got.length === 2 && b.got.length === 1);
      expect(a.got.find(([from]) => from === nameOf('b'))).toEqual([
        nameOf('b'),
        { kind: 'end', request: 'é' },
      ]);
      expect(b.got).toEqual([[nameOf('a'), { kind: 'ask', id: '1' }]]);
    });

    it('refuses a name that is taken, and loses messages to absent nodes', async () => {
      const a = await join('a');
      await expect(join('a')).rejects.toMatchObject({ code: 'E_FABRIC' });
      a.send('nobody', { kind: 'ask', id: '1' });
      const b = await join('b');
      a.send('b', { kind: 'ask', id: '2' });
      await until(() => b.got.length === 1);
    });

    it('reports once that a watched node is gone, and nothing about one that lives', async () => {
      const [a, b, c] = [await join('a'), await join('b'), await join('c')];
      a.end.watch(nameOf('b'));
      a.end.watch(nameOf('c'));
      a.end.watch(nameOf('b'));
      await b.end.close();
      await until(() => a.lost.length > 0);
      await sleep(Math.min(silenceMs(), 3000) + 500);
      expect(a.lost).toEqual([nameOf('b')]);
      expect(c.lost).toEqual([]);
    });

    it('reports that a node is back, and not one that is about to go', async () => {
      const [a, b, c] = [await join('a'), await join('b'), await join('c')];
      for (const peer of ['b', 'c']) a.end.watch(nameOf(peer));
      c.end.leave('its battery is spent');
      await b.end.close();
      await until(() => a.lost.includes(nameOf('b')));
      await join('b');
      await until(() => a.found.length > 0);
      await until(() => a.lost.includes(nameOf('c')));
      await sleep(600);
      expect(a.found).toEqual([nameOf('b')]);
    });

    it('reports nothing more once closed', async () => {
      const [a, b] = [await join('a'), await join('b')];
      await a.end.close();
      a.send('b', { kind: 'ask', id: '1' });
      b.send('a', { kind: 'ask', id: '2' });
      const c = await join('c');
      c.send('b', { kind: 'ask', id: '3' });
      await until(() => b.got.length === 1);
      expect(b.got).toEqual([[nameOf('c'), { kind: 'ask', id: '3' }]]);
      expect(a.got).toEqual([]);
    });
  });
}

/** Waits until a condition holds, limited only by the time limit of the test. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5);
}
