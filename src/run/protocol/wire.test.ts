import { describe, expect, it } from 'vitest';
import { partOf } from '../test-support/fabric-suite.ts';
import type { InputMessage } from './messages.ts';
import type { RunPlan } from './plan.ts';
import { fromWire, toWire } from './wire.ts';

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

  it.each(['', '{', '1', 'null', '{}', '{"kind":"part"}\n{', '{"kind":"part","tensor":{"dims":[3]}}\n{}'])(
    'are refused with a head like %j',
    (text) => {
      expect(() => fromWire(Buffer.from(text), new Float32Array(2))).toThrow(
        expect.objectContaining({ code: 'E_FABRIC' }),
      );
    },
  );
});
