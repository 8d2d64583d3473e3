// What no relevance reaches is ranked by another criterion, and it is said; so are ties.
import { describe, expect, it } from 'vitest';
import { findGroups } from '../../channels/index.ts';
import type { Dataset } from '../../data/index.ts';
import type { LayerScores } from '../../explain/index.ts';
import { Net, normals } from '../../explain/test-support/nets.ts';
import { canonicalModel, type Model } from '../../onnx/index.ts';
import { findCriterion } from '../criteria.ts';
import { rankModel } from '../prune-model.ts';
import { scoreBy, scoreLayers } from './score-model.ts';
import { withStandIns } from './unexplained.ts';

const SHAPE = [2, 5, 5];
const SIZE = 50;
const LRP = ['lrp-gamma', 'lrp-zplus', 'lrp-epsilon', 'lrp-alpha2beta1', 'lrp-composite'];

function data(count = 9): Dataset {
  const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
  const rest = { kind: 'npz', name: 'local', origins: undefined, skipped: [], hash: '' } as const;
  const samples = normals(count * SIZE, 5);
  return { ...rest, size: count, sampleShape: SHAPE, samples, labels, classNames: ['0', '1', '2'] };
}

/** Squeeze and excitation: means of the channels, through two layers, make a factor for each. */
function squeezeNet(): Model {
  const net = new Net(SHAPE, 7);
  const signal = net.relu(net.conv(net.input, 2, 6, { pads: [1, 1, 1, 1] }));
  const means = net.op('GlobalAveragePool', [signal]);
  const squeezed = net.relu(net.conv(means, 6, 4, { kernel: [1, 1] }));
  const factor = net.op('Sigmoid', [net.conv(squeezed, 4, 6, { kernel: [1, 1] })]);
  return canonicalModel(net.classify(net.op('Mul', [signal, factor]), 6 * 25, 3));
}

/** A gated unit: what one convolution makes lets through what another one makes. */
function gatedNet(): Model {
  const net = new Net(SHAPE, 8);
  const signal = net.op('Tanh', [net.conv(net.input, 2, 6)]);
  const gate = net.op('Sigmoid', [net.conv(net.input, 2, 6)]);
  return canonicalModel(net.classify(net.op('Mul', [signal, gate]), 6 * 9, 3));
}

const weighted = ({ graph }: Model): string[] =>
  graph.nodes.flatMap(({ name, op }) => (op === 'Conv' || op === 'Gemm' ? [name] : []));
const options = { name: 'net' };
const of = (layers: readonly LayerScores[], name: string | undefined) =>
  layers.find(({ layer }) => layer === name) as LayerScores;

describe('layers that no relevance reaches', () => {
  const model = squeezeNet();
  const [first, squeeze, excite, last] = weighted(model);

  it.each(LRP)(
    '%s: are ranked by gradient x activation where nothing else ranks their group',
    async (name) => {
      const criterion = findCriterion(name);
      const plain = await scoreBy(model, criterion, data(), options);
      const taylor = await scoreBy(model, findCriterion('taylor'), data(), options);
      expect([...of(plain, squeeze).scores]).toEqual([0, 0, 0, 0]);
      expect([...of(plain, excite).scores]).toEqual([0, 0, 0, 0, 0, 0]);

      const layers = await scoreLayers(model, criterion, data(), options);
      expect(of(layers, squeeze)).toEqual({ ...of(taylor, squeeze), standIn: 'taylor' });
      expect(new Set(of(layers, squeeze).scores).size).toBeGreaterThan(2);
      // The factors' channels go with those that they gate, whose relevance ranks them: no sum is of two criteria.
      for (const one of [first, excite, last]) expect(of(layers, one)).toEqual(of(plain, one));
    },
  );

  it('are named, with what ranked them', async () => {
    const criterion = findCriterion('lrp-gamma');
    const { remarks, scores, grouping } = await rankModel(model, {
      criterion,
      calibration: data(),
      name: 'net',
      block: 1,
    });
    expect(remarks).toEqual([
      {
        kind: 'stand-in',
        layers: [squeeze],
        by: 'taylor',
        text: expect.stringContaining(`${squeeze}: lrp-gamma`),
      },
    ]);
    const own = grouping.groups.find(({ layers }) => layers.includes(squeeze ?? ''));
    expect(new Set(scores.get(own?.id ?? -1)).size).toBeGreaterThan(2);
  });

  it('are left to criteria that reach them', async () => {
    for (const name of ['taylor', 'gradient', 'l2', 'activation']) {
      const layers = await scoreLayers(model, findCriterion(name), data(), options);
      expect(layers.filter(({ standIn }) => standIn !== undefined)).toEqual([]);
    }
  });

  it('stand alone where layers are shown one by one', async () => {
    const gated = gatedNet();
    const [signal, gate] = weighted(gated);
    expect(findGroups(gated).groups[0]?.layers).toEqual([signal, gate]);
    const criterion = findCriterion('lrp-zplus');
    const plain = await scoreBy(gated, criterion, data(), options);
    const other = (by: Parameters<typeof scoreBy>[1]) => scoreBy(gated, by, data(), options);
    expect(await withStandIns(gated, criterion, plain, 'groups', other)).toEqual(plain);
    const shown = await withStandIns(gated, criterion, plain, 'layers', other);
    expect(of(shown, gate)).toMatchObject({ standIn: 'taylor' });
    expect(of(shown, gate).scores.every((score) => score > 0)).toBe(true);
    expect(of(shown, signal)).toEqual(of(plain, signal));
  });
});

describe('ties', () => {
  it('are told by the names of their layers', async () => {
    const model = squeezeNet();
    const [, squeeze] = weighted(model);
    const node = model.graph.nodes.find(({ name }) => name === squeeze);
    const weight = model.graph.constants.get(node?.inputs[1] ?? '');
    if (weight?.type === 'float32') weight.data.fill(0.25);
    const criterion = findCriterion('l1');
    const { remarks } = await rankModel(model, { criterion, calibration: data(), name: 'net', block: 1 });
    expect(remarks).toEqual([
      { kind: 'ties', layers: [squeeze], by: 'l1', text: expect.stringContaining('score alike by l1') },
    ]);
  });
});
