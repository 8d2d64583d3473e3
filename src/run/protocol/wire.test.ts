import { describe, expect, it } from 'vitest';
import { tensor } from '../../engine/index.ts';
import { partOf } from '../test-support/fabric-suite.ts';
import type { InputMessage } from './messages.ts';
import type { RunPlan } from './plan.ts';
import { bitsOnTheWire, fromWire, inputBytesOnTheWire, toWire } from './wire.ts';

const planOf = (device: string): RunPlan => ({
  levels: [0, 2],
  stages: [{ index: 0, segments: [{ device, from: 0, to: 3 }] }],
});

function part(plan: RunPlan): InputMessage {
  return { ...partOf(Float32Array.of(1, 2), [1, 2]), plan };
}

function there(message: InputMessage): InputMessage {
  const { head, body } = toWire(message);
  return fromWire<InputMessage>(head, new Float32Array(body.slice().buffer));
}

describe('messages as bytes', () => {
  it('are read as they were written', () => {
    const message = part(planOf('a'));
    expect(there(message)).toEqual(message);
    const ask = { kind: 'ask', id: 'line\nbreak' } as const;
    expect(fromWire(toWire(ask).head, new Float32Array(0))).toEqual(ask);
  });

  it('tell of a plan what running it needs, and nothing of what its planner knew', () => {
    const { levels, stages } = planOf('a');
    const view = {
      ...{ levels, latency: 0.5, energy: 3 },
      stages: stages.map((stage) => ({
        ...{ ...stage, compute: 0.25 },
        segments: stage.segments.map((segment) => ({ ...segment, energy: 1 })),
      })),
    };
    expect(toWire(part(view)).head.toString()).not.toMatch(/latency|energy|compute/);
    expect(there(part(view)).plan).toEqual(planOf('a'));
  });

  it('name the source of a plan where its first stage is elsewhere', () => {
    const away = { ...planOf('a'), source: 'b' };
    expect(there(part(away)).plan).toEqual(away);
    expect(there(part({ ...planOf('a'), source: 'a' })).plan).toEqual(planOf('a'));
  });

  it('share a plan that was read before, however many there were', () => {
    const first = there(part(planOf('a'))).plan;
    expect(there(part(planOf('a'))).plan).toBe(first);
    // Passed on as it was read.
    expect(there(part(first)).plan).toBe(first);
    for (let at = 0; at < 200; at++) {
      expect(there(part(planOf(`b${at}`))).plan).toEqual(planOf(`b${at}`));
    }
    expect(there(part(planOf('a'))).plan).toEqual(first);
  });

  it('carry an input that is made of integers as these, and give the same numbers', () => {
    const pixels = Float32Array.from({ length: 3000 }, (_, at) => ((at * 7) % 256) / 255);
    const message = { ...part(planOf('a')), stage: -1, tensor: tensor(pixels, [1, 3, 1000]) };
    const wire = toWire(message);
    expect(wire.body.length).toBe(3000);
    expect([bitsOnTheWire(message.tensor), inputBytesOnTheWire(message.tensor)]).toEqual([8, 3000]);
    const back = there(message);
    expect(back.tensor).toEqual(message.tensor);
    expect(back.plan).toEqual(message.plan);
    expect(back.travelled).toBe(3000);
    // What stages pass on is rounded by plans alone, and what is made of nothing stays as it is.
    expect(toWire({ ...message, stage: 1 }).body.length).toBe(12_000);
    const other = { ...message, tensor: tensor(pixels.map(Math.sin), [1, 3, 1000]) };
    expect(toWire(other).body.length).toBe(12_000);
    expect(there(other).tensor).toEqual(other.tensor);
    expect(there(other).travelled).toBeUndefined();
  });

  it('are refused where they tell of integers that are not there', () => {
    const head = (integers: unknown) =>
      Buffer.from(JSON.stringify({ kind: 'part', stage: -1, tensor: { dims: [1, 8], integers } }));
    const good = { bits: 8, scales: [0.5], offsets: [1] };
    expect(fromWire<InputMessage>(head(good), new Float32Array(2)).tensor.data[0]).toBe(1);
    const wrong = [
      { bits: 4 },
      { bits: 16 },
      { scales: [] },
      { scales: [1, 2, 3] },
      { offsets: ['1'] },
      { scales: 1 },
    ];
    for (const one of wrong) {
      expect(() => fromWire(head({ ...good, ...one }), new Float32Array(2))).toThrow(/malformed/);
    }
    for (const one of [null, 1, []])
      expect(() => fromWire(head(one), new Float32Array(2))).toThrow(/malformed/);
  });

  it.each(['', '{', '1', 'null', '{}', '{"kind":"part"}\n{', '{"kind":"part","tensor":{"dims":[3]}}\n{}'])(
    'are refused with a head like %j',
    (text) => {
      expect(() => fromWire(Buffer.from(text), new Float32Array(2))).toThrow(
        expect.objectContaining({ code: 'E_FABRIC' }),
      );
    },
  );
});
