// A manifest that holds together may still speak of another network: each disagreement is found and named.
import { describe, expect, it } from 'vitest';
import { Net } from '../channels/test-support/net.ts';
import { int } from '../onnx/internal.ts';
import { assertAgreement, type Described } from './agreement.ts';
import { bundleOf } from './test-support/contents.ts';
import { tableBias, tableWeight, variantDown, variantShift, variantUp } from './weight-names.ts';

/** `a` (8 channels) and `b` (4) are joined and read by a depthwise layer `d`, whose rows are both groups'. */
const BUNDLE: Described = (() => {
  const net = new Net([2, 6, 6]);
  const a = net.relu(net.conv('a', net.input, 2, 8));
  const joined = net.op('Concat', [a, net.relu(net.conv('b', a, 8, 4))], { axis: int(1) });
  return bundleOf(net.head(net.conv('d', joined, 12, 12, { group: 12 }), 12), { variants: [[1, 2]] });
})();

type Manifest = Described['manifest'];
type Layer = Manifest['layers'][number];

const withLayer = (index: number, change: Partial<Layer>): Partial<Manifest> => ({
  layers: BUNDLE.manifest.layers.map((layer, i) => (i === index ? { ...layer, ...change } : layer)),
});
const withGroup = (change: object): Partial<Manifest> => ({
  groups: BUNDLE.manifest.groups.map((group, i) => (i === 0 ? { ...group, ...change } : group)),
});

describe('assertAgreement', () => {
  it('is content with what belongs together', () => {
    expect(() => assertAgreement(BUNDLE, 'f')).not.toThrow();
    // The joined channels: two thirds of the one group, one third of the other; a depthwise layer sums over none.
    const deep = BUNDLE.manifest.layers.find((layer) => layer.name === 'd');
    expect([deep?.inputs, deep?.reads.map(({ share }) => share)]).toEqual([[], [8 / 12, 4 / 12]]);
    expect(BUNDLE.tensors.get(tableWeight('d', 2))?.dims).toEqual([4 + 2, 1, 3, 3]);
    expect(BUNDLE.tensors.get(tableBias('d', 2))?.dims).toEqual([6]);
    expect(BUNDLE.tensors.get(tableWeight('b', 1))?.dims).toEqual([4, 6, 3, 3]);
  });

  const { model } = BUNDLE.manifest;
  const third = [{ group: 0, share: 1 / 3 }];
  it.each<[string, Partial<Manifest>, RegExp]>([
    [
      'an input of another name',
      { model: { ...model, input: { ...model.input, name: 'x' } } },
      /input\.name is 'x'/,
    ],
    [
      'an input of another shape',
      { model: { ...model, input: { ...model.input, shape: [2, 6] } } },
      /input\.shape is '2,6' in the manifest and '2,6,6' in the model/,
    ],
    [
      'other classes',
      { model: { ...model, output: { ...model.output, classes: 4 } } },
      /classes is '4' .* '3'/,
    ],
    ['a group too few', { groups: BUNDLE.manifest.groups.slice(0, 1) }, /number of groups is '1' .* '2'/],
    ['a group of another size', withGroup({ channels: 9 }), /groups\[0\]\.channels is '9' .* '8'/],
    ['a group of other layers', withGroup({ layers: ['b'] }), /groups\[0\]\.layers is 'b' .* 'a,d'/],
    [
      'a layer too few',
      { layers: BUNDLE.manifest.layers.slice(1) },
      /list of layers is 'b,d,head' .* 'a,b,d,head'/,
    ],
    [
      'a share of what it reads',
      withLayer(1, { reads: third }),
      /layers\[1\]\.reads: the share of group 0 is/,
    ],
    ['what it sums over', withLayer(1, { inputs: [] }), /layers\[1\]\.inputs does not list group 0/],
    [
      'a depthwise layer that sums',
      withLayer(2, { inputs: third }),
      /layers\[2\]\.inputs: the share of group 0/,
    ],
    ['a share of what it gives', withLayer(0, { outputs: [] }), /layers\[0\]\.outputs does not list group 0/],
    [
      'a stage without its groups',
      { stages: BUNDLE.manifest.stages.map((stage) => ({ ...stage, outputShares: [] })) },
      /stages\[0\]\.outputShares does not list group 0/,
    ],
    [
      'a stage without one of its nodes',
      { stages: BUNDLE.manifest.stages.map((stage) => ({ ...stage, nodes: stage.nodes.slice(0, 1) })) },
      /the nodes of all stages/,
    ],
  ])('refuses %s', (_, change, message) => {
    const manifest = { ...BUNDLE.manifest, ...change };
    expect(() => assertAgreement({ ...BUNDLE, manifest }, 'f')).toThrow(
      expect.objectContaining({ code: 'E_BUNDLE', message: expect.stringMatching(message) }),
    );
  });

  it('refuses a bias that is another one for each sample', () => {
    const net = new Net([4]);
    const logits = net.op('Gemm', [net.input, net.weights([4, 3], 1), net.weights([2, 3], 1)], {}, 'head');
    expect(() => assertAgreement(bundleOf(net.finish(logits)), 'f')).toThrow(
      "the bias of layer 'head' has 6 entries: expected 1 or 3",
    );
  });

  it.each([
    [tableWeight('b', 3), 'weights'],
    [tableBias('d', 1), 'biases'],
    [variantShift(1), 'corrections'],
    [variantUp(1, 'b'), 'one factor of a change of low rank'],
    [variantDown(1, 'd'), 'the other, of a depthwise layer'],
  ])('refuses missing or misshapen tensors: %s (%s)', (name) => {
    const tensors = new Map(BUNDLE.tensors);
    tensors.set(name, { dims: [1], data: new Float32Array(1) });
    expect(() => assertAgreement({ ...BUNDLE, tensors }, 'f')).toThrow(
      `tensor '${name}' has the shape [1]: expected [`,
    );
    tensors.delete(name);
    expect(() => assertAgreement({ ...BUNDLE, tensors }, 'f')).toThrow(`no tensor '${name}'`);
  });
});
