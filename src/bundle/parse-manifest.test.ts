// What a manifest may say: every rule broken once, and the message names the field, what it says and what it may say.
import { describe, expect, it } from 'vitest';
import { Net } from '../channels/test-support/net.ts';
import { int } from '../onnx/internal.ts';
import type { BundleManifest } from './manifest.ts';
import { parseManifest } from './parse-manifest.ts';
import { sealed } from './seal.ts';
import { bundleOf } from './test-support/contents.ts';

/** Three layers, each in a stage of its own, of which `a` and `b` have a group; four levels, one more variant. */
const MANIFEST: BundleManifest = (() => {
  const net = new Net([2, 6, 6]);
  const a = net.relu(net.conv('a', net.input, 2, 8));
  const joined = net.op('Concat', [a, net.relu(net.conv('b', a, 8, 4))], { axis: int(1) });
  return bundleOf(net.head(joined, 12), { variants: [[1, 2]], seconds: true }).manifest;
})();

const bytes = (value: object): Uint8Array => sealed(value);

/** The manifest with the value at a path, such as `groups.0.id`, replaced; undefined removes it. */
function edited(path: string, value: unknown): Uint8Array {
  const copy: object = JSON.parse(JSON.stringify(MANIFEST));
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  const parent = keys.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], copy) as Record<
    string,
    unknown
  >;
  expect(parent, path).toHaveProperty([last]);
  parent[last] = value;
  return bytes(copy);
}

describe('parseManifest', () => {
  it('gives back what was written, and leaves out what it does not know', () => {
    expect(parseManifest(bytes(MANIFEST), 'f')).toEqual(MANIFEST);
    expect(parseManifest(bytes({ ...MANIFEST, later: 1 }), 'f')).toEqual(MANIFEST);
  });

  it('does without what is optional', () => {
    const without = { ...MANIFEST, layers: MANIFEST.layers.map(({ seconds: _, ...layer }) => layer) };
    expect(parseManifest(bytes(without), 'f')).toEqual(without);
  });

  it.each<[path: string, value: unknown, message: RegExp]>([
    ['version', 0, /version is 0: .*>=1/],
    ['version', '1', /version is "1": .*expected number/],
    ['name', undefined, /name is missing: .*expected string/],
    ['model.sha256', 'ABC', /model\.sha256 is "ABC": expected 64 lower-case/],
    ['model.file', '/etc/passwd', /model\.file is "\/etc\/passwd": expected the name of a file/],
    ['weights.file', '..', /weights\.file is "\.\."/],
    ['model.input.shape', [2, 0, 6], /model\.input\.shape\[1\] is 0/],
    ['preprocessing.kind', 'sounds', /preprocessing\.kind is "sounds": .*"images"\|"beats"\|"tensors"/],
    ['ratios', [0.1, 0.25, 0.5, 0.7], /ratios\[0\] is 0\.1: expected 0/],
    ['ratios', [0, 0.5, 0.5, 0.7], /ratios\[2\] is 0\.5: expected more than ratios\[1\], 0\.5/],
    ['ratios', [0, 0.5, 0.6, 1], /ratios\[3\] is 1: .*<1/],
    ['ratios', [0, 0.5], /groups\[0\]\.counts has 4 entries: expected 2, as many as there are ratios/],
    ['groups.1.id', 0, /groups\[1\]\.id is 0: expected 1/],
    ['groups.0.counts', [7, 6, 4, 3], /groups\[0\]\.counts\[0\] is 7: expected 8, its channels/],
    ['groups.0.counts', [8, 4, 5, 3], /groups\[0\]\.counts\[2\] is 5: expected 1 to 4, not ascending/],
    ['groups.0.counts', [8, 4, 2, 0], /groups\[0\]\.counts\[3\] is 0/],
    ['groups.1.layers', ['ghost'], /groups\[1\]\.layers is 'ghost': expected the name of a layer/],
    ['layers.2.name', 'a', /layers\[2\]\.name is 'a': expected a name of its own/],
    ['layers.0.stage', 9, /layers\[0\]\.stage is 9: expected 0 to 2/],
    ['layers.0.stage', 1, /stages\[1\]\.layers is .*: expected a list with 'a' in it/],
    ['layers.1.inputs.0.group', 2, /layers\[1\]\.inputs\[0\]\.group is 2: expected 0 to 1/],
    ['layers.1.outputs.0.share', 0, /layers\[1\]\.outputs\[0\]\.share is 0/],
    ['layers.2.inputs.1.group', 0, /layers\[2\]\.inputs\[1\]\.group is 0: expected each group at most once/],
    ['layers.2.inputs.1.share', 0.5, /layers\[2\]\.inputs has shares with the sum 1\.16.*at most 1/],
    ['layers.1.reads', [], /layers\[1\]\.reads is \[\]: expected the same as inputs/],
    ['layers.1.seconds', [[1]], /layers\[1\]\.seconds has 1 entries: expected 4/],
    ['layers.1.seconds.3', [1], /layers\[1\]\.seconds\[3\] has 1 entries: expected 4/],
    ['layers.1.macs', -1, /layers\[1\]\.macs is -1/],
    ['layers', [], /layers is \[\]/],
    ['stages.1.index', 0, /stages\[1\]\.index is 0: expected 1/],
    ['stages.1.input', 'x', /stages\[1\]\.input is 'x': expected '.*', which comes before it/],
    ['stages.2.output', 'x', /stages\[2\]\.output is 'x': expected '.*', the model's output/],
    ['stages.1.layers', ['b', 'a'], /stages\[1\]\.layers is 'a': expected layers whose stage is 1/],
    ['stages.0.nodes.0', 'x', /stages\[0\]\.nodes is .*: expected a list with 'a' in it/],
    ['stages.1.nodes.1', 'a', /stages\[1\]\.nodes is 'a': expected each node in one stage only/],
    ['stages.0.outputShares.0.group', 5, /stages\[0\]\.outputShares\[0\]\.group is 5/],
    ['stages.0.split', 'partial-sums', /stages\[0\]\.splitGroup is missing: expected a group/],
    ['stages.0.seconds', [1, 2], /stages\[0\]\.seconds has 2 entries: expected 4/],
    ['accuracy.unpruned', 1.1, /accuracy\.unpruned is 1\.1: .*<=1/],
    [
      'accuracy.loss',
      [[0, 0, 0, 0]],
      /accuracy\.loss has 1 entries: expected 2, as many as there are groups/,
    ],
    ['accuracy.loss.1', [0, 1], /accuracy\.loss\[1\] has 2 entries: expected 4/],
    ['accuracy.loss.1', [0.1, 1, 1, 1], /accuracy\.loss\[1\]\[0\] is 0\.1: expected 0/],
    ['accuracy.loss.1', [0, 2, 1, 3], /accuracy\.loss\[1\]\[2\] is 1: expected at least 2, not descending/],
    ['variants', [], /variants is \[\]/],
    ['variants.0.levels', [0, 1], /variants\[0\]\.levels\[1\] is 1: expected 0: the first is unpruned/],
    ['variants.1.levels', [1], /variants\[1\]\.levels has 1 entries: expected 2/],
    ['variants.1.levels', [1, 4], /variants\[1\]\.levels\[1\] is 4: expected 0 to 3/],
    ['variants.1.levels', [0, 0], /variants\[1\]\.levels is \[0,0\]: expected each vector of levels once/],
    [
      'variants.1.recall',
      [1, 1],
      /variants\[1\]\.recall has 2 entries: expected 3, as many as there are classes/,
    ],
    ['variants.1.recall.1', 2, /variants\[1\]\.recall\[1\] is 2/],
    ['provenance.versions', { bedside: 1 }, /provenance\.versions\.bedside is 1: .*expected string/],
  ])('refuses %s = %j', (path, value, message) => {
    expect(() => parseManifest(edited(path, value), 'f')).toThrow(
      expect.objectContaining({
        code: 'E_BUNDLE',
        message: expect.stringMatching(message),
        hint: expect.any(String),
      }),
    );
  });

  it('refuses a group to split by that there is not', () => {
    const stages = MANIFEST.stages.map((stage) => ({ ...stage, splitGroup: 7 }));
    expect(() => parseManifest(bytes({ ...MANIFEST, stages }), 'f')).toThrow(
      /splitGroup is 7: expected 0 to 1/,
    );
  });

  it('names the first three of many faults', () => {
    const text = bytes({ ...MANIFEST, name: '', ratios: [], groups: 1, layers: 2, stages: 3 });
    expect(() => parseManifest(text, 'f')).toThrow(
      /^f: name is "": .*; ratios is \[\]: .*; groups is 1: .*; 2 more$/,
    );
  });
});
