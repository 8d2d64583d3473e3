// Tasks in manifests: what they say of the output, which versions have them, and that they hold together.
import { describe, expect, it } from 'vitest';
import { Net } from '../channels/test-support/net.ts';
import { TASK_MEASURES, TASKS } from '../util/index.ts';
import {
  BUNDLE_MEASURES,
  BUNDLE_VERSION,
  type BundleManifest,
  type BundleTask,
  UNTASKED_VERSION,
} from './manifest.ts';
import { parseManifest } from './parse-manifest.ts';
import { sealed } from './seal.ts';
import { figureWord, labelledMeasure, recallsOf, taskOf } from './task.ts';
import { bundleOf } from './test-support/contents.ts';

/** Three scores a sample. */
const PLAIN: BundleManifest = (() => {
  const net = new Net([2, 6, 6]);
  return bundleOf(net.head(net.relu(net.conv('a', net.input, 2, 8)), 8)).manifest;
})();

const LABELS: BundleTask = {
  kind: 'multi-label',
  outputShape: [3],
  classes: 3,
  threshold: 0.5,
  probabilities: true,
  labels: ['a', 'b', 'c'],
};

const tasked = (task: BundleTask, version = BUNDLE_VERSION): BundleManifest => ({
  ...PLAIN,
  task,
  version,
  variants: PLAIN.variants.map((variant) => ({
    ...variant,
    recall: new Array(recallsOf({ ...PLAIN, task })).fill(null),
  })),
});

const parsed = (manifest: object): BundleManifest => parseManifest(sealed(manifest), 'f');

describe('the task of a bundle', () => {
  it('is one label unless the manifest says another, which is kept', () => {
    expect(parsed(PLAIN)).not.toHaveProperty('task');
    expect(taskOf(PLAIN)).toEqual({ kind: 'single-label', outputShape: [3], classes: 3 });
    expect(parsed(tasked(LABELS)).task).toEqual(LABELS);
  });

  it('has recalls for classes and labels alone', () => {
    const binary = { kind: 'binary', outputShape: [1], classes: 2, threshold: 0 } as const;
    const one = { model: { output: { name: 'y', classes: 1 } } };
    expect(recallsOf({ ...one, task: binary })).toBe(2);
    expect(recallsOf({ ...one, task: { kind: 'regression', outputShape: [1], classes: 1 } })).toBe(0);
    expect(parsed(tasked({ kind: 'embedding', outputShape: [3], classes: 3 })).variants[0]?.recall).toEqual(
      [],
    );
  });

  it.each<[task: Partial<BundleTask>, version: number, message: RegExp]>([
    [{ outputShape: [4] }, BUNDLE_VERSION, /task\.outputShape is \[4\]: expected a product of 3/],
    [{ labels: ['a'] }, BUNDLE_VERSION, /task\.labels has 1 entries: expected 3/],
    [{}, UNTASKED_VERSION, /version is 2: expected more than 2, as there is a task/],
    [{ kind: 'sounds' as 'binary' }, BUNDLE_VERSION, /task\.kind is "sounds"/],
  ])('must hold together: %j in version %d', (change, version, message) => {
    expect(() => parsed(tasked({ ...LABELS, ...change }, version))).toThrow(message);
  });

  it('has a measure that bundles know and that has a name', () => {
    for (const kind of TASKS) expect(BUNDLE_MEASURES).toContain(labelledMeasure(kind));
    expect(labelledMeasure('single-label')).toBe('balanced');
    expect(labelledMeasure('segmentation')).toBe(TASK_MEASURES.segmentation[0]);
    expect(figureWord({ measure: 'auroc' })).toBe('AUROC');
    expect(figureWord({ measure: 'balanced' })).toBe('accuracy');
  });
});
