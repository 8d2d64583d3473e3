// The pre-trained networks against relevance from an independent implementation (zennit 0.5.1, double precision), for
// every rule, every convolution and the input: each agrees within a thousandth of the layer's largest value.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type NpyArray, readNpz } from '../../data/index.ts';
import { canonicalModel, loadModel, type Model } from '../../onnx/index.ts';
import { must } from '../../util/index.ts';
import { LONG } from '../../util/test-support/rounds.ts';
import { AttributionPass, oneHot, type PassResult } from '../attribution/pass.ts';
import { worst } from '../test-support/compare.ts';
import { convolutional } from './composite.ts';
import { alphaBetaRule, epsilonRule, gammaRule, type LrpRule, zplusRule } from './rules.ts';

const SHARED = process.env.BEDSIDE_SHARED ?? join(import.meta.dirname, '../../../../shared');

const RULES: Record<string, LrpRule> = {
  epsilon: epsilonRule(),
  zplus: zplusRule(),
  gamma: gammaRule(0.25),
  alpha2beta1: alphaBetaRule(2),
};

const NETWORKS = [
  { name: 'ecg-resnet1d', convolutions: 13, classes: 5 },
  { name: 'medical-mnist-vgg16', convolutions: 13, classes: 6 },
  { name: 'medical-mnist-resnet18', convolutions: 20, classes: 6 },
];

/** Of a layer's largest value. */
const TOLERANCE = 1e-3;

describe.each(NETWORKS)('against the oracle: $name', ({ name, convolutions, classes }) => {
  const modelPath = join(SHARED, 'models', `${name}.onnx`);
  const oraclePath = join(SHARED, 'oracle', `${name}.lrp.npz`);
  const missing = !existsSync(modelPath) || !existsSync(oraclePath);
  const reason = `no model or no oracle in ${SHARED}`;
  let model: Model;
  let oracle: Map<string, NpyArray>;

  beforeAll(async () => {
    if (missing) return;
    model = canonicalModel(await loadModel(modelPath));
    oracle = await readNpz(oraclePath);
  });

  const read = (key: string): Float64Array => Float64Array.from(must(oracle.get(key), key).data, Number);

  async function relevanceOf(rule: LrpRule): Promise<PassResult> {
    const pass = await AttributionPass.create(model, {
      attribution: { kind: 'relevance', ruleOf: convolutional(rule) },
      start: 'given',
      wantInput: true,
      modelName: name,
    });
    try {
      const { shape } = must(oracle.get('input'), 'input');
      const start = oneHot(read('target'), classes);
      return await pass.run(Float32Array.from(read('input')), shape, start);
    } finally {
      await pass.release();
    }
  }

  /** Ours and theirs, layer by layer, the input last. */
  function pairs(
    rule: string,
    result: PassResult,
  ): { where: string; ours: Float32Array; theirs: Float64Array }[] {
    const layers = result.layers.slice(0, convolutions).map(({ values }, i) => {
      const where = `${rule}__conv${String(i).padStart(2, '0')}`;
      return { where, ours: values, theirs: read(where) };
    });
    const where = `${rule}__input`;
    return [...layers, { where, ours: must(result.input, 'input relevance'), theirs: read(where) }];
  }

  // Every rule on the recordings, and on one of the two networks of images, which take seconds a rule.
  const usual = Object.keys(RULES).filter(
    (key) => LONG || name === 'ecg-resnet1d' || (key === 'gamma') === (name === 'medical-mnist-vgg16'),
  );
  it.for(usual)('%s', async (key, context) => {
    context.skip(missing, reason);
    const result = await relevanceOf(must(RULES[key], key));
    expect(worst(result.logits, read('logits'))).toBeLessThan(1e-4);
    for (const { where, ours, theirs } of pairs(key, result)) {
      expect(worst(ours, theirs), where).toBeLessThan(TOLERANCE);
    }
  });

  it('is of every rule and convolution', (context) => {
    context.skip(missing, reason);
    const keys = [...oracle.keys()].filter((key) => key.includes('__'));
    expect(keys).toHaveLength(Object.keys(RULES).length * (convolutions + 1));
    expect(model.graph.nodes.filter((node) => node.op === 'Conv')).toHaveLength(convolutions);
  });
});
