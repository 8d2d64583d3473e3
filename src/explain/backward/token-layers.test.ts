// Networks over tokens in canonical form: written-out normalisations and dense layers with their bias become one node
// each, and compute what they did.
import { describe, expect, it } from 'vitest';
import { canonicalModel, type Model } from '../../onnx/index.ts';
import { int, ints, sizeOf, string } from '../../onnx/internal.ts';
import { worst } from '../test-support/compare.ts';
import { runModel } from '../test-support/differences.ts';
import { Net, normals } from '../test-support/nets.ts';

/** The ways in which exporters write a normalisation over one axis. */
function writtenOut(net: Net, x: string, axis: number, form: 'pow' | 'mul' | 'twice', opset: number): string {
  const mean = (value: string): string =>
    opset >= 18
      ? net.op('ReduceMean', [value, net.builder.ints([axis])])
      : net.op('ReduceMean', [value], { axes: ints([axis]) });
  const middle = mean(x);
  const centred = net.op('Sub', [x, middle]);
  const again = form === 'twice' ? net.op('Sub', [x, middle]) : centred;
  const square =
    form === 'mul' ? net.op('Mul', [again, again]) : net.op('Pow', [again, net.builder.scalar(2)]);
  const root = net.op('Sqrt', [net.op('Add', [mean(square), net.builder.scalar(1e-3)])]);
  return net.op('Div', [centred, root]);
}

async function expectSame(model: Model, sample: readonly number[]): Promise<Model> {
  const canonical = canonicalModel(model);
  const dims = [3, ...sample];
  const samples = normals(sizeOf(dims), 5);
  expect(worst(await runModel(canonical, samples, dims), await runModel(model, samples, dims))).toBeLessThan(
    1e-5,
  );
  return canonical;
}

const operators = (model: Model): string[] => model.graph.nodes.map(({ op }) => op);

describe('networks over tokens', () => {
  it.each([
    ['pow', 11],
    ['mul', 13],
    ['twice', 18],
  ] as const)('a normalisation written out is one node: %s, operator set %i', async (form, opset) => {
    const net = new Net([4, 6]);
    const normal = writtenOut(net, net.input, -1, form, opset);
    const scaled = net.op('Add', [net.op('Mul', [normal, net.weights([6])]), net.weights([6])]);
    const flat = net.op('Flatten', [net.op('Tanh', [scaled])]);
    const canonical = await expectSame(net.finish(net.gemm(flat, 24, 3), 3, opset), [4, 6]);
    expect(operators(canonical)).toEqual(['LayerNormalization', 'Tanh', 'Flatten', 'Gemm']);
    expect(canonical.opsets.get('')).toBe(Math.max(17, opset));
  });

  it('one over channels before space stands between two transposes', async () => {
    const net = new Net([6, 2, 3]);
    const normal = writtenOut(net, net.input, 1, 'pow', 17);
    const scaled = net.op('Mul', [normal, net.weights([6, 1, 1])]);
    const canonical = await expectSame(net.classify(net.op('Tanh', [scaled]), 36, 3), [6, 2, 3]);
    expect(operators(canonical).slice(0, 3)).toEqual(['Transpose', 'LayerNormalization', 'Transpose']);
  });

  it('a quotient by another deviation stays as it is', async () => {
    const net = new Net([4, 6]);
    const other = net.op('Tanh', [net.input]);
    const mean = net.op('ReduceMean', [net.input], { axes: ints([-1]) });
    const square = net.op('Mul', [net.op('Sub', [other, mean]), net.op('Sub', [other, mean])]);
    const variance = net.op('ReduceMean', [square], { axes: ints([-1]) });
    const root = net.op('Sqrt', [net.op('Add', [variance, net.builder.scalar(1e-3)])]);
    const normal = net.op('Div', [net.op('Sub', [net.input, mean]), root]);
    const canonical = await expectSame(net.classify(normal, 24, 3), [4, 6]);
    expect(operators(canonical)).not.toContain('LayerNormalization');
  });

  it.each([
    ['batch first', [0, 1, 2]],
    ['tokens first', [1, 0, 2]],
  ])('dense layers over tokens have their bias in one node: %s', async (_, perm) => {
    const net = new Net([4, 6]);
    const x = net.op('Transpose', [net.input], { perm: ints(perm) });
    const normal = net.op('LayerNormalization', [x, net.weights([6])], { axis: int(-1) });
    const dense = net.op('MatMul', [normal, net.weights([6, 5])], {}, 'dense');
    const wide = net.op('Relu', [net.op('Add', [net.weights([5]), dense])]);
    const back = net.op('Transpose', [wide], { perm: ints(perm) });
    const canonical = await expectSame(net.classify(back, 20, 3), [4, 6]);
    expect(canonical.graph.nodes.find(({ name }) => name === 'dense')?.op).toBe('Gemm');
    expect(operators(canonical)).not.toContain('MatMul');
  });

  it('an einsum that is a product is one, with weights or of two computed values', async () => {
    const net = new Net([4, 6]);
    const einsum = (equation: string, ...inputs: string[]): string =>
      net.op('Einsum', inputs, { equation: string(equation) });
    const project = (): string => einsum('btc, chd -> bhtd', net.input, net.weights([6, 2, 3], 0.4));
    const scores = net.op('Softmax', [einsum('bhid,bhjd->bhij', project(), project())], { axis: int(-1) });
    const seen = einsum('...ij,...jd->...id', scores, project());
    const out = einsum('bhtd,hdc->btc', seen, net.weights([2, 3, 6], 0.4));
    const canonical = await expectSame(net.classify(out, 24, 3), [4, 6]);
    expect(operators(canonical)).not.toContain('Einsum');
    expect(operators(canonical).filter((op) => op === 'MatMul')).toHaveLength(6);
  });

  it('an einsum that sums over one operand alone stays', async () => {
    const net = new Net([4, 6]);
    const summed = net.op('Einsum', [net.input, net.weights([6, 5])], { equation: string('btc,cd->bd') });
    const canonical = await expectSame(net.finish(net.gemm(summed, 5, 3), 3), [4, 6]);
    expect(operators(canonical)).toContain('Einsum');
  });
});
