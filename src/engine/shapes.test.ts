import { describe, expect, it } from 'vitest';
import { findGroups, sliceModel } from '../channels/index.ts';
import { type Constant, inferShapes, type Model, modelCosts, readModel, writeModel } from '../onnx/index.ts';
import {
  canonicalGraph,
  ELEM,
  floatConstant,
  GraphBuilder,
  int,
  intConstant,
  ints,
  string,
  type Value,
  withDeclarations,
} from '../onnx/internal.ts';
import { BedsideError } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { createSession, tensor, withEngineShapes } from './index.ts';

const random = new Random(4);
function numbers(...dims: number[]): Constant {
  const length = dims.reduce((product, dim) => product * dim, 1);
  return floatConstant(
    Float32Array.from({ length }, () => random.normal() * 0.3),
    dims,
  );
}

/** Convolution, [N, C, T] -> [T, N, C], LSTM in both directions, its last step, a linear layer. */
function recurrent(batch: number | string = 'N', declare = false): Model {
  const builder = new GraphBuilder();
  const x = builder.input('x', [batch, 2, 9]);
  const conv = builder.node('Conv', [x, builder.constant(numbers(6, 2, 3))], {}, 'conv');
  const hidden = builder.node(
    'Conv',
    [builder.node('Relu', [conv]), builder.constant(numbers(4, 6, 1))],
    {},
    'second',
  );
  const steps = builder.node('Transpose', [hidden], { perm: ints([2, 0, 1]) }, 'steps');
  const [w, r] = [builder.constant(numbers(2, 20, 4)), builder.constant(numbers(2, 20, 5))];
  const attributes = { hidden_size: int(5), direction: string('bidirectional') };
  const [all = ''] = builder.nodes('LSTM', [steps, w, r], attributes, ['all', 'last', 'cell']);
  const last = builder.node(
    'Gather',
    [all, builder.constant(intConstant([6], []))],
    { axis: int(0) },
    'picked',
  );
  const turned = builder.node('Transpose', [last], { perm: ints([1, 0, 2]) }, 'turned');
  const flat = builder.node('Flatten', [turned], {}, 'flat');
  builder.output(builder.node('Gemm', [flat, builder.constant(numbers(10, 3))], {}, 'y'), [batch, 3]);
  const model = builder.model();
  if (!declare) return model;
  // As a tool may have left them: of another batch, of other steps, of another rank.
  const stale: readonly Value[] = [
    { name: 'all', elemType: 1, dims: [12, 2, 7, 50] },
    { name: 'last', elemType: 1, dims: [2, 5] },
    { name: 'cell', elemType: 1, dims: [2, 1, 5] },
  ];
  return withDeclarations(model, new Map(stale.map((value) => [value.name, value])), []);
}

/** Every value that the engine itself gives at a batch size. */
async function engineShapes(
  model: Model,
  batch: number,
  sample: readonly number[],
): Promise<Map<string, number[]>> {
  const names = model.graph.nodes.flatMap(({ outputs }) => outputs.filter(Boolean));
  const own = new Set(model.graph.outputs.map(({ name }) => name));
  const more = names.filter((name) => !own.has(name)).map((name) => ({ name, elemType: 0, dims: undefined }));
  const all = { ...model, graph: { ...model.graph, outputs: [...model.graph.outputs, ...more] } };
  const session = await createSession(all, { name: 'twin', optimization: 'disabled' });
  const dims = [batch, ...sample];
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.normal());
  const results = await session.run({ x: tensor(data, dims) });
  await session.release();
  return new Map(Object.entries(results).map(([name, value]) => [name, [...value.dims]]));
}

describe('withEngineShapes', () => {
  it.each([
    ['what declares nothing', false],
    ['stale declarations', true],
  ])('gives what the engine gives, at other batch sizes too: %s', async (_, declare) => {
    const model = recurrent('N', declare);
    const measured = await withEngineShapes(model, 'net');
    for (const batch of [1, 5]) {
      const shapes = inferShapes(measured, batch);
      for (const [name, dims] of await engineShapes(model, batch, [2, 9]))
        expect([name, shapes.get(name)]).toEqual([name, dims]);
    }
    // Convolutions 6*7*2*3 and 4*7*6; both directions, 7 steps, 20 rows of 4 inputs and 5 states; 10*3.
    expect(modelCosts(measured)).toMatchObject({
      macs: 252 + 168 + 2 * 7 * 20 * 9 + 30,
      uncounted: [],
      unknown: [],
    });
  });

  it('knows a fixed batch', async () => {
    const measured = await withEngineShapes(recurrent(4), 'net');
    expect(inferShapes(measured, 1).get('all')).toEqual([7, 2, 4, 5]);
    expect(modelCosts(measured).macs).toBe(252 + 168 + 2520 + 30);
  });

  it('keeps shapes true through folding, cutting, writing and reading', async () => {
    const model = canonicalGraph(await withEngineShapes(recurrent('N', true), 'net'));
    const grouping = findGroups(model);
    expect(grouping.groups.map(({ layers }) => layers)).toEqual([['conv'], ['second'], ['all']]);
    const cut = sliceModel(model, grouping, new Map([[0, [1, 4]]]));
    const again = readModel(writeModel(cut), 'cut');
    const shapes = inferShapes(again, 3);
    for (const [name, dims] of await engineShapes(cut, 3, [2, 9]))
      expect([name, shapes.get(name)]).toEqual([name, dims]);
    expect(modelCosts(again).macs).toBe(84 + 56 + 2520 + 30);
  });

  it('follows a batch that other axes are merged with', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N', 3, 2, 8]);
    const merged = builder.node('Reshape', [x, builder.constant(intConstant([-1, 2, 8]))], {}, 'merged');
    const scale = builder.constant(floatConstant([1, 1]));
    const normal = builder.node('InstanceNormalization', [merged, scale, scale], {}, 'normal');
    const conv = builder.node('Conv', [normal, builder.constant(numbers(5, 2, 3))], {}, 'conv');
    const back = builder.node('Reshape', [conv, builder.constant(intConstant([-1, 90]))], {}, 'back');
    builder.output(builder.node('Gemm', [back, builder.constant(numbers(90, 2))], {}, 'y'), ['N', 2]);
    const model = builder.model();
    const measured = await withEngineShapes(model, 'net');
    const shapes = inferShapes(measured, 7);
    for (const [name, dims] of await engineShapes(model, 7, [3, 2, 8]))
      expect([name, shapes.get(name)]).toEqual([name, dims]);
    expect(modelCosts(measured).macs).toBe(3 * 5 * 6 * 6 + 180);
  });

  it('does not touch or run a model whose shapes follow from rules', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N', 2, 5]);
    // The engine would refuse this one: weights of three channels on two.
    builder.output(builder.node('Relu', [builder.node('Tanh', [x])], {}, 'y'), ['N', 2, 5]);
    const model = {
      ...builder.model(),
      opsets: new Map([
        ['', 17],
        ['nobody.has.this', 1],
      ]),
    };
    model.graph.nodes.push({
      name: 'dead',
      op: 'Relu',
      domain: '',
      inputs: ['y'],
      outputs: ['z'],
      attributes: new Map(),
    });
    expect(await withEngineShapes(model, 'net')).toBe(model);
  });

  it('leaves open what depends on the data, and the count says so', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N', 6]);
    const places = builder.node(
      'NonZero',
      [builder.node('Relu', [builder.node('Sub', [x, builder.scalar(0.5)])])],
      {},
      'places',
    );
    const turned = builder.node('Cast', [builder.node('Transpose', [places], { perm: ints([1, 0]) })], {
      to: int(ELEM.float32),
    });
    const odd = builder.node('MatMul', [turned, builder.constant(numbers(2, 3))], {}, 'odd');
    const gone = builder.node('ReduceSum', [odd], { keepdims: int(0) }, 'gone');
    const y = builder.node('Gemm', [x, builder.constant(numbers(6, 3))], {}, 'y');
    builder.output(builder.node('Add', [y, gone], {}, 'sum'), ['N', 3]);
    const measured = await withEngineShapes(builder.model(), 'net');
    expect(inferShapes(measured, 1).get('sum')).toEqual([1, 3]);
    const costs = modelCosts(measured);
    expect([costs.macs, costs.uncounted]).toEqual([18, [{ name: 'odd', op: 'MatMul' }]]);
    expect(costs.unknown).toContain("NonZero 'places'");
  });

  it('sizes what is around values that are no tensors', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N', 4, 6]);
    const list = builder.node('SplitToSequence', [x], { axis: int(1) }, 'list');
    const joined = builder.node('ConcatFromSequence', [list], { axis: int(2) }, 'joined');
    builder.output(builder.node('MatMul', [joined, builder.constant(numbers(24, 3))], {}, 'y'), ['N', 1, 3]);
    const measured = await withEngineShapes(builder.model(), 'net');
    expect(inferShapes(measured, 5).get('joined')).toEqual([5, 1, 24]);
    expect(modelCosts(measured)).toMatchObject({ macs: 72, uncounted: [] });
  });

  it('names the operator where the engine cannot run the model', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N', 4]);
    const odd = builder.node('Magic', [x], {}, 'odd');
    builder.output(builder.node('Gemm', [odd, builder.constant(numbers(4, 3))], {}, 'y'), ['N', 3]);
    const refused = await withEngineShapes(builder.model(), 'wand.onnx').catch((error: unknown) => error);
    expect(BedsideError.is(refused, 'E_ENGINE')).toBe(true);
    expect(refused).toMatchObject({ message: expect.stringMatching(/wand\.onnx.*Magic 'odd'/) });
  });

  it('says in plain words why a node does not run, and does not try what memory would not hold', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', [4, 1, 3]);
    builder.output(builder.node('Det', [x], {}, 'all'), undefined);
    const model = builder.model();
    await expect(withEngineShapes(model, 'net')).rejects.toMatchObject({
      code: 'E_ENGINE',
      message: expect.not.stringMatching(/Non-zero|ONNXRuntimeError|onnxruntime/),
    });
    const inputs = model.graph.inputs.map((input) => ({ ...input, dims: [2 ** 31, 3, 3] }));
    await expect(
      withEngineShapes({ ...model, graph: { ...model.graph, inputs } }, 'net'),
    ).rejects.toMatchObject({
      code: 'E_ENGINE',
      message: expect.stringMatching(/'x' has 19327352832 numbers, too many to try/),
    });
  });
});
