import { describe, expect, it } from 'vitest';
import { tensor } from '../../engine/index.ts';
import { Random } from '../../util/internal.ts';
import { COMPACT } from './compact-head.ts';
import type { InputMessage, TensorMessage } from './messages.ts';
import { roundTensor } from './rounded-tensor.ts';
import { fromWire, toWire } from './wire.ts';

type Part = TensorMessage | InputMessage;

/** A message of random fields. */
function drawn(random: Random): Part {
  const dims = Array.from({ length: random.integer(5) }, () => 1 + random.integer(4));
  const length = dims.reduce((all, dim) => all * dim, 1);
  const numbers = tensor(
    Float32Array.from({ length }, () => random.normal()),
    dims,
  );
  const text = () => ['', 'a', 'client/ward-7', 'é€😀', '\n"\\', 'x'.repeat(64)][random.integer(6)] as string;
  const common: TensorMessage = {
    kind: 'part',
    ...{ request: text(), epoch: random.integer(1e9), requester: text() },
    ...{ stage: random.integer(9), segment: random.integer(4), remaining: 1e5 * random.uniform() },
    tensor:
      random.uniform() < 0.3 ? roundTensor(numbers, { scale: 0.013, zero: random.integer(256) }) : numbers,
  };
  if (random.uniform() < 0.5) return common;
  const segments = [{ device: text(), from: 0, to: 3 }];
  return {
    ...{ ...common, stage: -1, bundle: text(), samples: 1 + random.integer(8) },
    plan: { levels: [random.integer(3)], stages: [{ index: 0, segments }] },
  };
}

const there = (message: Part) => {
  const { head, body } = toWire(message);
  return { head, message: fromWire<Part>(head, new Float32Array(body.slice().buffer)) };
};

describe('compact heads', () => {
  it('say what they were written from, and have a plan where that had one', () => {
    const random = new Random(1);
    for (let draw = 0; draw < 300; draw++) {
      const message = drawn(random);
      const back = there(message);
      expect(back.head[0]).toBe(COMPACT);
      expect(back.message).toEqual(message);
      expect('plan' in back.message).toBe('plan' in message);
    }
  });

  it('are left to JSON where a message says more than they can', () => {
    const random = new Random(2);
    const base = drawn(random);
    const more: Partial<InputMessage>[] = [
      { timed: true },
      { traceparent: '00-11111111111111111111111111111111-2222222222222222-01' },
      { requester: 'x'.repeat(20_000) },
      { segment: -1 },
      { samples: 2 ** 32 },
      { tensor: tensor(new Float32Array(1), new Array<number>(17).fill(1)) },
    ];
    for (const one of more) {
      const { head, message } = there({ ...base, ...one });
      expect(head[0]).toBe('{'.charCodeAt(0));
      expect(message).toEqual({ ...base, ...one });
    }
  });

  it('are refused with a code, or say something else, when they are damaged: never more', () => {
    const random = new Random(3);
    let refused = 0;
    for (let draw = 0; draw < 2000; draw++) {
      const { head, body } = toWire(drawn(random));
      const bytes = Buffer.from(head);
      const cut = random.uniform() < 0.2 ? bytes.subarray(0, random.integer(bytes.length)) : bytes;
      if (cut.length > 1) cut[1 + random.integer(cut.length - 1)] = random.integer(256);
      try {
        fromWire(cut, new Float32Array(body.slice().buffer));
      } catch (error) {
        expect(error).toMatchObject({ code: 'E_FABRIC' });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(300);
  });
});
