// A worker that computes NaN or infinity gives no result: the request ends with a coded error.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../bundle/index.ts';
import { canonicalGraph, cloneModel, floatConstant, isWeighted } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { Batcher } from '../client/batches.ts';
import { localPlanOf, randomSample, writtenBundle } from '../test-support/bundles.ts';
import { inOneProcess } from '../test-support/in-one-process.ts';
import { mixedNet } from '../test-support/mixed-net.ts';

const UNPRUNED = new Array<number>(8).fill(0);

let folder: string;
let bundle: Bundle;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-finite-'));
  bundle = await writtenBundle(join(folder, 'mixed'), canonicalGraph(mixedNet()));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The bundle of a worker with damaged memory: the first weight of a layer is changed. */
function damaged(value: number, layer = -1): Bundle {
  const model = cloneModel(bundle.model);
  const last = must(model.graph.nodes.filter((node) => isWeighted(model.graph, node)).at(layer), 'a layer');
  const name = last.inputs[1] ?? '';
  const weight = must(model.graph.constants.get(name), name);
  if (weight.type !== 'float32') throw new Error('not float32');
  model.graph.constants.set(name, floatConstant(weight.data.with(0, value), weight.dims));
  return { ...bundle, model };
}

describe('a worker without finite scores', () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY])(
    '%s: the request fails, and names the devices',
    async (value) => {
      await using run = await inOneProcess(damaged(value), [{ name: 'tablet' }]);
      const plan = localPlanOf(bundle, 'tablet', UNPRUNED);
      const asked = run.requester.infer(randomSample(bundle, new Random(1)), plan);
      await expect(asked).rejects.toMatchObject({
        code: 'E_NOT_FINITE',
        message: expect.stringMatching(/sample 0 .*tablet/),
      });
    },
  );

  it('is told at the stage that gave them, before others make numbers of it again', async () => {
    await using run = await inOneProcess(damaged(Number.NaN, 0), [{ name: 'tablet' }, { name: 'watch' }]);
    const plan = localPlanOf(bundle, 'tablet', UNPRUNED);
    const stages = plan.stages.map((stage) =>
      stage.index === 0
        ? stage
        : { ...stage, segments: stage.segments.map((segment) => ({ ...segment, device: 'watch' })) },
    );
    const asked = run.requester.infer(randomSample(bundle, new Random(1)), { ...plan, stages });
    await expect(asked).rejects.toMatchObject({
      code: 'E_NOT_FINITE',
      message: expect.stringMatching(/output of stage 0 on 'tablet'/),
    });
  });

  it('or a sample that is none, takes no answer from the others of a batch', async () => {
    await using run = await inOneProcess(bundle, [{ name: 'tablet' }]);
    const batcher = new Batcher(run.requester, { most: 3, window: 1 });
    const random = new Random(2);
    const inputs = [0, 1, 2].map(() => randomSample(bundle, random));
    must(inputs[1], 'a sample').data.fill(Number.NaN);
    const plan = localPlanOf(bundle, 'tablet', UNPRUNED);
    const ends = await Promise.allSettled(inputs.map((input) => batcher.infer(input, plan)));
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(ends[1]).toMatchObject({ reason: { code: 'E_DATA' } });
  });
});
