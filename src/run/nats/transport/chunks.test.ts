import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../util/internal.ts';
import { Assembler, type AssemblerOptions, encodeChunks, type MessageOwner } from './chunks.ts';

const OWNER: MessageOwner = { request: 'r', epoch: 2, requester: 'client/a' };
const random = new Random(1);

function message(size: number) {
  const data = Float32Array.from({ length: size }, () => random.normal());
  return { head: Buffer.from('{"kind":"part"}'), body: new Uint8Array(data.buffer) };
}

function assembler(options: AssemblerOptions = {}) {
  const whole: { from: string; head: string; data: Float32Array }[] = [];
  const givenUp: (readonly [string, MessageOwner | undefined, string])[] = [];
  const made = new Assembler(
    {
      whole: (from, head, data) => whole.push({ from, head: head.toString(), data }),
      givenUp: (from, owner, why) => givenUp.push([from, owner, why]),
    },
    options,
  );
  return { made, whole, givenUp };
}

describe('messages in chunks', () => {
  it.each([0, 1, 50, 1000])('of %i numbers are put together as they were, whatever the payload', (size) => {
    const sent = message(size);
    for (const most of [90, 200, 5000]) {
      const { made, whole, givenUp } = assembler();
      const chunks = [...encodeChunks(7, sent, OWNER, most)];
      expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThanOrEqual(most);
      chunks.forEach((chunk, at) => {
        expect(whole).toHaveLength(0);
        made.take('a', chunk);
        // Memory is used for bytes that arrived, not for announced ones.
        if (at < chunks.length - 1) expect(made.held).toBeLessThanOrEqual((at + 1) * most);
      });
      expect(Buffer.from(whole[0]?.data.buffer as ArrayBuffer)).toEqual(Buffer.from(sent.body.buffer));
      expect([whole.length, givenUp.length, made.held]).toEqual([1, 0, 0]);
    }
  });

  it('of several senders may come mixed', () => {
    const { made, whole } = assembler();
    const [a, b] = [message(100), message(120)];
    const [ofA, ofB] = [[...encodeChunks(1, a, OWNER, 150)], [...encodeChunks(1, b, undefined, 150)]];
    for (let at = 0; at < Math.max(ofA.length, ofB.length); at++) {
      for (const [from, chunk] of [['a', ofA[at]] as const, ['b', ofB[at]] as const]) {
        if (chunk) made.take(from, chunk);
      }
    }
    expect(whole.map(({ from, data }) => [from, data.length])).toEqual([
      ['b', 120],
      ['a', 100],
    ]);
  });

  it('are given up, told to their owner once and never half there, whichever chunk is lost', () => {
    const chunks = [...encodeChunks(1, message(300), OWNER, 200)];
    const after = [...encodeChunks(2, message(10), OWNER, 1000)];
    for (const lost of chunks.keys()) {
      const { made, whole, givenUp } = assembler();
      for (const [at, chunk] of chunks.entries()) if (at !== lost) made.take('a', chunk);
      for (const chunk of after) made.take('a', chunk);
      expect(whole.map(({ data }) => data.length)).toEqual([10]);
      expect(givenUp).toEqual([['a', OWNER, expect.stringContaining('missing')]]);
      expect(made.held).toBe(0);
    }
  });

  it('are given up when a byte has changed, wherever', () => {
    for (let draw = 0; draw < 200; draw++) {
      const { made, whole } = assembler();
      const chunks = [...encodeChunks(1, message(60), OWNER, 150)].map((chunk) => Buffer.from(chunk));
      const chunk = chunks[random.integer(chunks.length)] as Buffer;
      // The owner is only reported, so a changed owner goes unnoticed.
      const at = random.integer(chunk.length - 28 - 60);
      const place = at < 24 ? at : at + 60 + 4;
      chunk.writeUInt8(chunk.readUInt8(place) ^ (1 + random.integer(255)), place);
      for (const one of chunks) made.take('a', one);
      // Only the number of the message may change unnoticed, where it has one chunk.
      expect(whole).toEqual([]);
    }
  });

  it('of one chunk are told to the owner that their head names, unless that is what has changed', () => {
    const head = Buffer.from(`${JSON.stringify({ kind: 'part', ...OWNER, remaining: 5 })}\n{"levels":[]}`);
    const { made, whole, givenUp } = assembler();
    const [chunk] = [...encodeChunks(9, { ...message(60), head }, OWNER, 5000)];
    const bytes = Buffer.from(chunk ?? []);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    made.take('a', bytes);
    const [broken] = [...encodeChunks(10, { ...message(60), head }, OWNER, 5000)];
    const other = Buffer.from(broken ?? []);
    other.writeUInt8(0, 28);
    made.take('a', other);
    expect(whole).toEqual([]);
    expect(givenUp.map(([from, owner]) => [from, owner])).toEqual([
      ['a', { ...OWNER, remaining: 5 }],
      ['a', undefined],
    ]);
  });

  it('are given up when the rest does not come', async () => {
    const { made, whole, givenUp } = assembler({ patience: 20 });
    const [first, second] = [...encodeChunks(1, message(300), OWNER, 200)];
    made.take('a', first as Uint8Array);
    while (givenUp.length === 0) await sleep(5);
    expect(givenUp).toEqual([['a', OWNER, expect.stringContaining('nothing more')]]);
    made.take('a', second as Uint8Array);
    expect([whole.length, givenUp.length, made.held]).toEqual([0, 1, 0]);
  });

  it('hold no more memory than allowed: who holds most gives way, and what is announced counts for nothing', () => {
    const { made, whole, givenUp } = assembler({ memory: 3000 });
    const honest = [...encodeChunks(1, message(100), OWNER, 200)];
    made.take('honest', honest[0] as Uint8Array);
    for (let at = 0; at < 40; at++) {
      const chunks = [...encodeChunks(at, message(300), OWNER, 200)];
      // All but the last of each: they never complete.
      for (const chunk of chunks.slice(0, -1)) {
        made.take(`greedy ${at % 5}`, chunk);
        expect(made.held).toBeLessThanOrEqual(3000);
      }
    }
    for (const chunk of honest.slice(1)) made.take('honest', chunk);
    expect(whole.map(({ from }) => from)).toEqual(['honest']);
    expect(givenUp.some(([, , why]) => why.includes('incomplete messages'))).toBe(true);
    // One sender may not have more than half of the memory.
    made.take('huge', [...encodeChunks(1, message(400), OWNER, 200)][0] as Uint8Array);
    expect(givenUp.at(-1)).toEqual(['huge', OWNER, expect.stringContaining('one sender may')]);
    made.clear();
    expect(made.held).toBe(0);
  });

  it('are given up when they are not whole by the deadline of their request, however often a bit more comes', async () => {
    const { made, givenUp } = assembler({ most: 30 });
    const chunks = [...encodeChunks(1, message(10_000), OWNER, 200)];
    for (const chunk of chunks) {
      if (givenUp.length > 0) break;
      made.take('a', chunk);
      await sleep(5);
    }
    expect(givenUp).toEqual([['a', OWNER, expect.stringContaining('not complete within')]]);
    expect(made.held).toBe(0);
    // The owner's deadline shortens the time.
    const soon = assembler({ patience: 60_000 });
    const hurried = { ...OWNER, remaining: -990 };
    soon.made.take('a', [...encodeChunks(1, message(300), hurried, 200)][0] as Uint8Array);
    while (soon.givenUp.length === 0) await sleep(20);
    expect(soon.givenUp[0]?.[1]).toEqual(hurried);
  });

  it('keep something of so many senders, and no more', () => {
    const { made } = assembler({ senders: 20 });
    for (let at = 0; at < 200; at++) {
      const [first, , third] = [...encodeChunks(1, message(300), OWNER, 200)];
      made.take(`partial ${at}`, first as Uint8Array);
      made.take(`dead ${at}`, third as Uint8Array);
    }
    expect(made.senders).toBeLessThanOrEqual(40);
    made.clear();
  });

  it('are refused where not even a head fits a payload', () => {
    expect(() => [...encodeChunks(1, message(20), OWNER, 60)]).toThrow(/cannot be sent/);
  });

  it('are told from bytes that are none', () => {
    const { made, whole, givenUp } = assembler();
    for (let draw = 0; draw < 300; draw++) {
      made.take(
        'a',
        Uint8Array.from({ length: random.integer(120) }, () => random.integer(256)),
      );
    }
    expect(whole).toEqual([]);
    expect(givenUp.every(([, owner]) => owner === undefined)).toBe(true);
    expect(made.held).toBe(0);
  });
});
