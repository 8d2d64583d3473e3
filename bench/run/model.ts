// A shared model's bundle and test samples, as the bench of running uses them.

import { SingleMachine } from '../../src/app/index.ts';
import type { Bundle } from '../../src/bundle/index.ts';
import { openDataset } from '../../src/data/index.ts';
import { tensor } from '../../src/engine/index.ts';
import type { FloatTensor, RunPlan } from '../../src/run/index.ts';
import { must } from '../../src/util/index.ts';
import { argmax } from '../../src/util/internal.ts';
import { lightBundle, sharedBundle } from '../lib/bundles.ts';
import { dataPath, SHARED_MODELS } from '../lib/shared.ts';

const SEED = 2026;

/** A model to run. */
export interface BenchModel {
  readonly bundle: Bundle;
  readonly inputs: readonly FloatTensor[];
  /** Accuracy on the test samples, at a plan's levels and precisions. */
  readonly accuracyAt: (plan: RunPlan) => Promise<number>;
}

/** What is run of a shared model. */
export interface ModelOptions {
  /** Whether the unpruned network is enough. */
  readonly isLight: boolean;
  /** Of the bundle, where it is not. */
  readonly variants: number;
  /** Test samples of each class. */
  readonly perClass: number;
}

/** Opens a shared model; packs it first where there is no bundle. */
export async function openModel(
  name: string,
  { isLight, variants, perClass }: ModelOptions,
): Promise<BenchModel> {
  const shared = must(
    SHARED_MODELS.find((model) => model.name === name),
    'a shared model',
  );
  const bundle = await (isLight ? lightBundle(name) : sharedBundle(name, true, variants));
  const { sampleShape, classes, data } = shared;
  const test = await openDataset(dataPath(data), {
    ...{ sampleShape, classes, seed: SEED, split: 'test', perClass },
  });
  const stride = test.samples.length / test.size;
  const inputs = Array.from({ length: test.size }, (_, at) => {
    const sample = test.samples.slice(at * stride, (at + 1) * stride);
    return tensor(sample, [1, ...test.sampleShape]);
  });
  const labels = must(test.labels, 'labels');
  const known = new Map<string, number>();
  const accuracyAt = async (plan: RunPlan): Promise<number> => {
    const { levels, stages } = plan;
    const key = JSON.stringify([levels, stages.map(({ precision, wire }) => [precision, wire])]);
    const found = known.get(key);
    if (found !== undefined) return found;
    const single = new SingleMachine(bundle);
    const recall = Array.from({ length: classes }, () => ({ right: 0, all: 0 }));
    for (const [at, input] of inputs.entries()) {
      const counts = must(recall[labels[at] ?? -1], 'a class');
      counts.all++;
      if (argmax(await single.run(levels, input, plan)) === labels[at]) counts.right++;
    }
    await single.close();
    const present = recall.filter(({ all }) => all > 0);
    const balanced = present.reduce((sum, { right, all }) => sum + right / all, 0) / present.length;
    known.set(key, balanced);
    return balanced;
  };
  return { bundle, inputs, accuracyAt };
}
