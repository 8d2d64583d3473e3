// A device whose parts have another shape than the plan says is named, and nothing is computed from them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../bundle/index.ts';
import { type FloatTensor, tensor } from '../../engine/index.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import type { NodeMessage } from '../protocol/messages.ts';
import type { RunPlan } from '../protocol/plan.ts';
import { localPlanOf, onOneMachine, randomPlan, randomSample, splitBundle } from '../test-support/bundles.ts';
import { inOneProcess } from '../test-support/in-one-process.ts';
import { mixedNet } from '../test-support/mixed-net.ts';
import { assertPartShapes } from './part-shape.ts';
import { StageModels } from './stage-model.ts';

let bundle: Bundle;
let fixture: Awaited<ReturnType<typeof inOneProcess>>;
/** What the device 'watch' sends for stage 0, whatever it was asked. */
let answer: FloatTensor;
beforeAll(async () => {
  bundle = splitBundle(canonicalGraph(mixedNet()));
  fixture = await inOneProcess(bundle, [{ name: 'tablet' }]);
  const watch = await fixture.fabric.join('watch', {
    message: (_from: string, message: NodeMessage) => {
      if (message.kind !== 'part' || !('plan' in message)) return;
      const { request, epoch, requester, remaining } = message;
      const head = { kind: 'part', request, epoch, requester, remaining, stage: 0, segment: 0 } as const;
      watch.send('tablet', { ...head, tensor: answer });
    },
    lost: () => {},
  });
});
afterAll(() => fixture[Symbol.asyncDispose]());

/** The first stage on another device than the others. */
function twoDevices(): RunPlan {
  const plan = localPlanOf(bundle, 'tablet', new Array<number>(bundle.manifest.groups.length).fill(0));
  const stages = plan.stages.map((stage) =>
    stage.index === 0
      ? { ...stage, segments: stage.segments.map((one) => ({ ...one, device: 'watch' })) }
      : stage,
  );
  return { ...plan, stages };
}

describe('a device of the plan', () => {
  it.each<[what: string, send: (right: FloatTensor) => readonly number[]]>([
    ['fewer channels', ({ dims }) => dims.with(1, (dims[1] ?? 0) - 1)],
    ['axes in another order', ({ dims }) => dims.toReversed()],
    ['samples of its own', ({ dims }) => dims.with(0, 2)],
    ['one axis more', ({ dims }) => [...dims, 1]],
    ['nothing', ({ dims }) => dims.with(0, 0)],
  ])('that sends %s is refused by name', async (_, send) => {
    const whole = new StageModels(bundle).inputShape(1, twoDevices().levels);
    const right = tensor(new Float32Array(whole.reduce((a, b) => a * b, 1)), whole);
    const dims = send(right);
    answer = tensor(new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);
    const asked = fixture.requester.infer(randomSample(bundle, new Random(1)), twoDevices());
    await expect(asked).rejects.toMatchObject({
      code: 'E_DEVICE',
      message: expect.stringMatching(/^device 'watch' sent \[.*\] for stage 0, not 1 samples of \[/),
      hint: expect.any(String),
    });
  });

  it('that sends what the plan says is heard, whatever is split, at any level and batch', async () => {
    const stages = new StageModels(bundle);
    const random = new Random(3);
    await using run = await inOneProcess(
      bundle,
      ['a', 'b', 'c'].map((name) => ({ name })),
    );
    for (let draw = 0; draw < 6; draw++) {
      const plan = randomPlan(bundle, ['a', 'b', 'c'], random);
      const input = randomSample(bundle, random);
      const { logits } = await run.requester.infer(input, plan);
      const single = await onOneMachine(bundle, plan.levels, input);
      expect(
        Math.max(...logits.data.map((value, i) => Math.abs(value - (single[i] ?? Number.NaN)))),
      ).toBeLessThan(1e-4);
      const [, ...dims] = input.dims;
      const two = tensor(new Float32Array(2 * input.data.length), [2, ...dims]);
      const given = { plan, stage: -1, parts: [two] };
      expect(() => assertPartShapes(stages, { ...given, samples: 2 })).not.toThrow();
      expect(() => assertPartShapes(stages, { ...given, samples: 1 })).toThrow(/the input is \[2, /);
    }
    const split = run.fabric.sent.filter(({ message }) => message.kind === 'part' && message.segment > 0);
    expect(must(split[0], 'a part of a split stage').message.kind).toBe('part');
  });
});
