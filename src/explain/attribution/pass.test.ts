// The pass as a whole: starts, chosen layers, old operator sets, and what it refuses.
import { describe, expect, it } from 'vitest';
import { type Attribute, canonicalModel, type Model } from '../../onnx/index.ts';
import { float, ints, string } from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';
import { convolutional } from '../lrp/composite.ts';
import { gammaRule, zplusRule } from '../lrp/rules.ts';
import { smallNetwork } from '../test-support/calibration.ts';
import { worst } from '../test-support/compare.ts';
import { Net, normals } from '../test-support/nets.ts';
import { type Attribution, AttributionPass, oneHot, type PassOptions } from './pass.ts';

const RELEVANCE: Attribution = { kind: 'relevance', ruleOf: convolutional(gammaRule(0.25)) };
const GRADIENT: Attribution = { kind: 'gradient' };
const DIMS = [3, 2, 5, 5];
const SAMPLES = normals(150, 9);

async function run(
  model: Model,
  options: Partial<PassOptions>,
  start?: Float32Array,
  samples = SAMPLES,
  dims = DIMS,
) {
  const pass = await AttributionPass.create(model, {
    attribution: RELEVANCE,
    start: start ? 'given' : 'predicted',
    modelName: 'test',
    ...options,
  });
  try {
    return await pass.run(samples, dims, start);
  } finally {
    await pass.release();
  }
}

describe('starts', () => {
  it('the predicted start is 1 at the largest logit', async () => {
    const model = smallNetwork();
    const predicted = await run(model, { wantInput: true });
    const labels = [0, 1, 2].map((n) => {
      const row = Array.from(predicted.logits.subarray(3 * n, 3 * n + 3));
      return row.indexOf(Math.max(...row));
    });
    expect(new Set(labels).size).toBeGreaterThan(1);
    const given = await run(model, { wantInput: true }, oneHot(labels, 3));
    expect(predicted.layers).toEqual(given.layers);
    expect(predicted.input).toEqual(given.input);
  });

  it('relevance and gradient are linear in the start', async () => {
    for (const attribution of [RELEVANCE, GRADIENT]) {
      const single = await Promise.all(
        [0, 1, 2].map((label) =>
          run(smallNetwork(), { attribution, wantInput: true }, oneHot([label, label, label], 3)),
        ),
      );
      const mix = [0.5, -2, 3];
      const start = Float32Array.from({ length: 9 }, (_, i) => mix[i % 3] as number);
      const mixed = await run(smallNetwork(), { attribution, wantInput: true }, start);
      const expected = Float64Array.from(SAMPLES, (_, i) =>
        mix.reduce((sum, weight, label) => sum + weight * (single[label]?.input?.[i] as number), 0),
      );
      expect(worst(mixed.input ?? [], expected)).toBeLessThan(1e-4);
    }
  });

  it('one-hot rows', () => {
    expect(Array.from(oneHot([2, 0], 3))).toEqual([0, 0, 1, 1, 0, 0]);
    for (const label of [3, -1, 0.5, Number.NaN]) {
      expect(() => oneHot([0, label], 3)).toThrow(`label ${label} is not one of the model's 3 classes`);
    }
  });
});

describe('layers', () => {
  it('those asked for come out as they do among all', async () => {
    const model = smallNetwork();
    const all = await run(model, {});
    expect(all.input).toBeUndefined();
    expect(all.layers.map(({ name, channels }) => [name, channels])).toEqual([
      ['Conv', 4],
      ['Conv_1', 4],
      ['Conv_2', 5],
      ['Gemm', 3],
    ]);
    for (const asked of [['Conv_2'], ['Conv', 'Gemm']]) {
      const some = await run(model, { layers: asked });
      const expected = all.layers.filter(({ name }) => asked.includes(name));
      expect(some.layers.map(({ name }) => name)).toEqual(asked);
      some.layers.forEach(({ values }, i) => {
        expect(worst(values, expected[i]?.values ?? [])).toBeLessThan(1e-5);
      });
    }
  });

  it('that the model does not have are refused, and the hint lists those it has', async () => {
    const failed: unknown = await run(smallNetwork(), { layers: ['Conv', 'Relu'] }).catch(
      (error: unknown) => error,
    );
    expect(BedsideError.is(failed, 'E_USAGE') && failed.message).toContain("'Relu'");
    expect(BedsideError.is(failed) && failed.hint).toContain('Conv, Conv_1, Conv_2, Gemm');
  });

  it('a layer that does not reach the logits is explained by zeros', async () => {
    const net = new Net([2, 5, 5], 2);
    net.conv(net.input, 2, 6);
    const model = net.classify(net.relu(net.conv(net.input, 2, 3)), 27, 3);
    const { layers } = await run(model, {});
    expect(layers.map(({ name }) => name)).toEqual(['Conv', 'Conv_1', 'Gemm']);
    expect(layers[0]?.values).toEqual(new Float32Array(18));
    expect(layers[1]?.values.some((value) => value !== 0)).toBe(true);
  });

  it('the forward values and the model itself stay as they were', async () => {
    const model = smallNetwork();
    const before = model.graph.nodes.map(({ op, inputs, outputs }) => [op, [...inputs], [...outputs]]);
    await run(model, { wantInput: true });
    expect(model.graph.nodes.map(({ op, inputs, outputs }) => [op, inputs, outputs])).toEqual(before);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['Gemm']);
  });
});

describe('models of older operator sets', () => {
  // The same network spelled at operator set 9 (attributes) and 17 (inputs).
  function network(opset: number): Model {
    const net = new Net([2, 5, 5], 3);
    const given = (op: string, x: string, lists: Record<string, number[]>): string =>
      opset < 10
        ? net.op(op, [x], Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, ints(list)])))
        : net.op(op, [x, ...Object.values(lists).map((list) => net.builder.ints(list))]);
    const a = net.conv(given('Pad', net.input, { pads: [0, 0, 1, 0, 0, 0, 0, 1] }), 2, 4);
    const b =
      opset < 11
        ? net.op('Clip', [a], { min: float(0), max: float(6) })
        : net.op('Clip', [a, net.builder.scalar(0), net.builder.scalar(6)]);
    const c = given('Slice', b, { starts: [0, 1], ends: [3, 4], axes: [2, 3] });
    const d = given('Squeeze', given('Unsqueeze', c, { axes: [4] }), { axes: [4] });
    return net.finish(net.gemm(net.op('Flatten', [d]), 36, 3), 3, opset);
  }

  it.each([RELEVANCE, GRADIENT])('give the same $kind', async (attribution) => {
    const [old, recent] = [
      await run(network(9), { attribution, wantInput: true }),
      await run(network(17), { attribution, wantInput: true }),
    ];
    expect(worst(old.logits, recent.logits)).toBeLessThan(1e-6);
    expect(worst(old.input ?? [], recent.input ?? [])).toBeLessThan(1e-5);
    expect(old.layers.map(({ name }) => name)).toEqual(recent.layers.map(({ name }) => name));
    expect(old.layers[0]?.values.some((value) => value !== 0)).toBe(true);
  });
});

describe('canonical models', () => {
  it('explain as the model does, with batch normalisation merged', async () => {
    const net = new Net([2, 5, 5], 5);
    const a = net.conv(net.input, 2, 4, { pads: [1, 1, 1, 1] });
    const ones = [net.weights([4]), net.weights([4]), net.weights([4])];
    const variance = net.builder.constant({
      type: 'float32',
      dims: [4],
      data: Float32Array.of(1, 2, 0.5, 3),
    });
    const b = net.relu(net.op('BatchNormalization', [a, ...ones, variance]));
    const model = net.classify(b, 100, 3);
    const canonical = canonicalModel(model);
    expect(canonical.graph.nodes.map(({ op }) => op)).not.toContain('BatchNormalization');
    const [plain, merged] = [
      await run(model, { attribution: GRADIENT, wantInput: true }),
      await run(canonical, { attribution: GRADIENT, wantInput: true }),
    ];
    expect(worst(merged.logits, plain.logits)).toBeLessThan(1e-5);
    expect(worst(merged.input ?? [], plain.input ?? [])).toBeLessThan(1e-5);
  });
});

describe('what cannot be crossed', () => {
  async function refusal(model: Model, attribution: Attribution): Promise<BedsideError> {
    const failed: unknown = await AttributionPass.create(model, {
      attribution,
      start: 'given',
      modelName: 'test',
    }).then(
      async (pass) => {
        await pass.release();
        return undefined;
      },
      (error: unknown) => error,
    );
    expect(BedsideError.is(failed, 'E_UNSUPPORTED'), String(failed)).toBe(true);
    return failed as BedsideError;
  }

  /** A convolution under the operator, so that the pass has to cross it. */
  function across(
    op: string,
    more: (net: Net) => string[],
    attributes: Record<string, Attribute>,
    features: number,
    opset = 17,
  ) {
    const net = new Net([2, 4, 4]);
    const below = net.conv(net.input, 2, 4, { pads: [1, 1, 1, 1] });
    const crossed = net.op(op, [below, ...more(net)], attributes, 'the_culprit');
    return net.finish(net.gemm(net.op('Flatten', [crossed]), features, 3), 3, opset);
  }

  const none = (): string[] => [];
  const both = [RELEVANCE, GRADIENT];
  it.each([
    {
      why: 'an einsum',
      op: 'Einsum',
      more: none,
      attributes: { equation: string('nchw->nchw') },
      features: 64,
    },
    {
      why: 'padding by reflection',
      op: 'Pad',
      more: (net: Net) => [net.builder.ints([0, 0, 1, 1, 0, 0, 1, 1])],
      attributes: { mode: string('reflect') },
      features: 144,
    },
  ])('$why is refused by name', async ({ op, more, attributes, features }) => {
    for (const attribution of both) {
      const error = await refusal(across(op, more, attributes, features), attribution);
      expect(error.message).toContain(`${op} 'the_culprit'`);
      expect(error.hint).toContain('l1');
    }
  });

  it.each(both)('an unknown operator is refused by name, $kind', async (attribution) => {
    // At its output, and where a layer behind it cannot know its shape.
    const net = new Net([2, 4, 4]);
    const dense = net.gemm(net.op('Flatten', [net.conv(net.input, 2, 4)]), 16, 3);
    const last = net.finish(net.op('Hardmax', [dense], {}, 'the_culprit'), 3);
    for (const model of [last, across('Hardmax', none, {}, 64)]) {
      expect((await refusal(model, attribution)).message).toContain("Hardmax 'the_culprit'");
    }
  });

  it('but not when nothing below it is asked for', async () => {
    const model = across('Einsum', none, { equation: string('nchw->nchw') }, 64);
    const dims = [1, 2, 4, 4];
    const { layers } = await run(model, { layers: ['Gemm'] }, Float32Array.of(1, 0, 0), normals(32, 1), dims);
    expect(Array.from(layers[0]?.values ?? [])).toEqual([1, 0, 0]);
  });

  it('a product of two computed matrices is refused by name in DeepLIFT', async () => {
    const net = new Net([4, 4]);
    const a = net.op('MatMul', [net.input, net.weights([4, 4])]);
    const square = net.op('MatMul', [a, a], {}, 'the_culprit');
    const error = await refusal(net.classify(square, 16, 3), { kind: 'deeplift' });
    expect(error.message).toContain("MatMul 'the_culprit'");
  });

  it('a model with two inputs', async () => {
    const two = new Net([6]);
    const sum = two.op('Add', [two.input, two.builder.input('second', ['batch', 6])]);
    expect((await refusal(two.classify(sum, 6, 3), RELEVANCE)).message).toContain('2 inputs');
  });

  it('a weight computed at run time is refused by name', async () => {
    const net = new Net([2, 4, 4]);
    const weight = net.op('Tanh', [net.weights([3, 2, 3, 3])]);
    const conv = net.op('Conv', [net.input, weight], {}, 'the_culprit');
    const error = await refusal(net.classify(conv, 12, 3), {
      kind: 'relevance',
      ruleOf: convolutional(zplusRule()),
    });
    expect(error.message).toContain("Conv 'the_culprit'");
  });
});
