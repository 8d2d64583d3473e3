import { isDeepStrictEqual } from 'node:util';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { type BedsideError, must } from '../../util/index.ts';
import { GraphBuilder } from '../builder.ts';
import { canonicalGraph } from '../canonical/fold.ts';
import { modelCosts } from '../costs/costs.ts';
import { floatConstant, type Model, sizeOf } from '../graph.ts';
import { compareModels, SHARED_MODELS, sharedBytes } from '../test-support/models.ts';
import { richProto, UNKNOWN } from '../test-support/rich-model.ts';
import { readModel, writeModel } from './codec.ts';
import { type ModelProto, ModelProtoSchema } from './onnx_pb.ts';

const rich = (): Model => readModel(toBinary(ModelProtoSchema, richProto()), 'rich');

function broken(
  change: (proto: ModelProto & { graph: NonNullable<ModelProto['graph']> }) => void,
): () => Model {
  const proto = richProto();
  const { graph } = proto;
  change(Object.assign(proto, { graph: must(graph, 'graph') }));
  return () => readModel(toBinary(ModelProtoSchema, proto), 'rich');
}

describe('readModel', () => {
  it('decodes typed and raw tensors', () => {
    const { constants } = rich().graph;
    expect(constants.get('f32')).toMatchObject({
      type: 'float32',
      dims: [2],
      data: Float32Array.of(1, Number.NaN),
    });
    expect(constants.get('f32_raw')).toMatchObject({ type: 'float32', data: Float32Array.of(1.5, -2) });
    expect(constants.get('scalar')).toEqual({ type: 'float32', dims: [], data: Float32Array.of(7) });
    expect(constants.get('none')).toEqual({ type: 'float32', dims: [0, 3], data: new Float32Array(0) });
    expect(constants.get('i64')).toEqual({
      type: 'int64',
      dims: [2],
      data: BigInt64Array.of(-1n, 2n ** 62n),
    });
    expect(constants.get('f16')).toMatchObject({ type: 'other', elemType: 10, dims: [3] });
  });

  it('tags attributes by type and carries the rest', () => {
    const node = must(rich().graph.nodes[1], 'node');
    expect(node).toMatchObject({
      name: 'odd',
      op: 'Odd',
      domain: 'org.example',
      inputs: ['start', '', 'f32', 'sparse_w'],
    });
    const { attributes } = node;
    expect(attributes.get('f')).toEqual({ type: 'float', value: 0.5 });
    expect(attributes.get('i')).toEqual({ type: 'int', value: -(2n ** 63n) });
    expect(attributes.get('s')).toEqual({ type: 'string', value: 'grün' });
    expect(attributes.get('ints')).toEqual({ type: 'ints', value: [1n, 2n ** 62n] });
    expect(attributes.get('floats')).toEqual({ type: 'floats', value: [1, 2.5] });
    expect(attributes.get('no_floats')).toEqual({ type: 'floats', value: [] });
    expect(attributes.get('untyped')).toEqual({ type: 'int', value: 4n });
    expect(attributes.get('t')).toMatchObject({ type: 'tensor', value: { data: Float32Array.of(1.5, -2) } });
    for (const name of [
      'not_utf8',
      'strings',
      'tensors',
      'g',
      'graphs',
      'tp',
      'tps',
      'sparse',
      'sparses',
      'ref',
    ]) {
      expect(attributes.get(name)?.type).toBe('other');
    }
  });

  it('keeps initializers that are listed as inputs out of the inputs', () => {
    expect(rich().graph.inputs.map((value) => value.name)).toEqual(['x']);
  });

  it('puts nodes in execution order', () => {
    const model = broken(({ graph }) => graph.node.reverse())();
    expect(model.graph.nodes.map((node) => node.outputs[0])).toEqual(['start', 'y', 'odd_out']);
  });

  it.each([
    ['no graph', broken((p) => delete (p as ModelProto).graph), /has no graph/],
    ['no IR version', broken((p) => delete p.irVersion), /no IR version/],
    ['no operator set', broken((p) => (p.opsetImport = [])), /imports no operator set/],
    ['no nodes', broken((p) => (p.graph.node = [])), /no nodes/],
    ['no outputs', broken((p) => (p.graph.output = [])), /no outputs/],
    ['an output nobody makes', broken((p) => p.graph.node.pop()), /graph output 'y' is made by no node/],
    [
      'a short tensor',
      broken((p) => p.graph.initializer[0]?.floatData.pop()),
      /tensor 'f32': data does not fit dims \[2\]: expected 2 values, got 1/,
    ],
    [
      'a short raw tensor',
      broken((p) => (must(p.graph.initializer[1], '').dims = [3n])),
      /'f32_raw'.*expected 12 bytes, got 8/,
    ],
    [
      'a short carried tensor',
      broken((p) => (must(p.graph.initializer[6], '').dims = [4n])),
      /'f16'.*expected 4 values, got 3/,
    ],
    [
      'a negative dimension',
      broken((p) => (must(p.graph.initializer[0], '').dims = [-2n, -1n])),
      /'f32': dimension -2/,
    ],
    [
      'a huge tensor',
      broken((p) => (must(p.graph.initializer[0], '').dims = [2n ** 50n, 2n ** 50n])),
      /'f32': data does not fit/,
    ],
    [
      'an impossible dimension',
      broken((p) => (must(p.graph.initializer[0], '').dims = [2n ** 60n])),
      /'f32': dimension/,
    ],
    [
      'a tensor that stands twice',
      broken((p) => p.graph.initializer.push(must(p.graph.initializer[0], ''))),
      /'f32' stands twice/,
    ],
    [
      'a value made twice',
      broken((p) => (must(p.graph.node[2], '').output = ['y', 'start'])),
      /'start' is made more than once/,
    ],
    [
      'a value nobody makes',
      broken((p) => (must(p.graph.node[2], '').input = ['ghost'])),
      /Relu 'last' reads 'ghost'/,
    ],
    ['a loop', broken((p) => (must(p.graph.node[0], '').input = ['odd_more'])), /depends on its own output/],
    [
      'a subgraph that reads what nobody makes',
      broken(
        (p) =>
          (must(p.graph.node[1]?.attribute.find((a) => a.name === 'g')?.g?.node[0], '').input = ['ghost']),
      ),
      /reads 'ghost'/,
    ],
  ] as const)('refuses %s', (_, read, message) => {
    expect(read).toThrow(
      expect.objectContaining({ code: 'E_MODEL', message: expect.stringMatching(message) }),
    );
  });

  it.each([
    ['IR version', broken((p) => (p.irVersion = 99n)), /IR version 99 .* 3 to 13/],
    ['operator set', broken((p) => (must(p.opsetImport[0], '').version = 6n)), /operator set 6 .* 7 to 26/],
  ] as const)('does not read another %s', (_, read, message) => {
    expect(read).toThrow(
      expect.objectContaining({ code: 'E_UNSUPPORTED', message: expect.stringMatching(message) }),
    );
  });

  it('tells the way out for a newer IR version, which is another than that for operator sets', () => {
    const hint = (read: () => Model): string | undefined => {
      try {
        read();
      } catch (error) {
        return (error as BedsideError).hint;
      }
      return undefined;
    };
    expect(hint(broken((p) => (p.irVersion = 14n)))).toMatch(/model\.ir_version = 10/);
    expect(hint(broken((p) => (must(p.opsetImport[0], '').version = 27n)))).toMatch(/version_converter/);
  });

  it.each([
    ['text', new TextEncoder().encode('this is not a model, it is a sentence')],
    ['nothing', new Uint8Array(0)],
    ['half a model', toBinary(ModelProtoSchema, richProto()).slice(0, 500)],
  ])('refuses %s', (_, bytes) => {
    expect(() => readModel(bytes, 'file.onnx')).toThrow(
      expect.objectContaining({ code: 'E_MODEL', message: expect.stringContaining('file.onnx') }),
    );
  });
});

describe('writeModel', () => {
  it('loses nothing: read, write, read is equal', () => {
    const first = rich();
    const second = readModel(writeModel(first), 'rich');
    expect(second).toEqual(first);
    expect(writeModel(second)).toEqual(writeModel(first));
  });

  it('writes what is not modelled as it was read', () => {
    const before = richProto();
    const after = fromBinary(ModelProtoSchema, writeModel(rich()));
    const { graph: oldGraph, ...oldModel } = before;
    const { graph: newGraph, ...newModel } = after;
    expect(newModel).toEqual(oldModel);
    expect(after.$unknown).toEqual([UNKNOWN]);
    const rest = ({ node: _n, initializer: _i, input: _in, ...others }: NonNullable<typeof oldGraph>) =>
      others;
    expect(rest(must(newGraph, ''))).toEqual(rest(must(oldGraph, '')));
    const [, oldNode] = must(oldGraph, '').node;
    const [, newNode] = must(newGraph, '').node;
    expect({ ...newNode, attribute: [] }).toEqual({ ...oldNode, attribute: [] });
    // Apart from the missing type, and tensors stored raw already, every attribute is as it was.
    must(oldNode?.attribute.at(-1), 'untyped').type = 2;
    expect(newNode?.attribute).toEqual(oldNode?.attribute);
    expect(newGraph?.initializer.map((t) => [t.name, t.docString, t.metadataProps])).toEqual(
      oldGraph?.initializer.map((t) => [t.name, t.docString, t.metadataProps]),
    );
    // Types that are only carried keep their very fields.
    expect(newGraph?.initializer.slice(5)).toEqual(oldGraph?.initializer.slice(5));
  });

  it('lists every initializer as an input below IR 4, with the dims it has now', () => {
    const model = rich();
    model.graph.constants.set('f32', floatConstant([1, 2, 3]));
    model.graph.constants.delete('i64');
    const { graph } = fromBinary(ModelProtoSchema, writeModel(model));
    const names = graph?.input.map((value) => value.name);
    expect(names?.[0]).toBe('x');
    expect(new Set(names)).toEqual(new Set(['x', ...model.graph.constants.keys()]));
    const type = graph?.input.find((value) => value.name === 'f32')?.type?.value;
    expect(type?.case === 'tensorType' && type.value.shape?.dim[0]?.value).toEqual({
      case: 'dimValue',
      value: 3n,
    });
  });

  it('writes what the builder built', async () => {
    const builder = new GraphBuilder();
    builder.input('x', ['N', 3]);
    builder.output(builder.node('Mul', ['x', builder.scalar(2)], {}, 'y'), ['N', 3]);
    const model = builder.model();
    expect(readModel(writeModel(model), 'built')).toEqual(model);
    expect(await compareModels(writeModel(model), model)).toBe(0);
  });

  it.skipIf(SHARED_MODELS.length === 0)(
    'shared models: equal when read back, equal outputs on ONNX Runtime (needs the shared folder)',
    async () => {
      for (const name of SHARED_MODELS) {
        const bytes = sharedBytes(name);
        const model = readModel(bytes, name);
        // The matcher's own equality takes minutes on millions of weights.
        expect(isDeepStrictEqual(readModel(writeModel(model), name), model)).toBe(true);
        expect(await compareModels(bytes, model)).toBe(0);
      }
    },
    20_000,
  );
});

describe('newer versions', () => {
  /** Conv, Relu, mean, flatten, product: as a classifier has them. */
  const small = (opset: number, ir: number): Model => {
    const builder = new GraphBuilder();
    builder.input('x', ['N', 2, 5, 5]);
    const filled = (...dims: number[]): string =>
      builder.constant(floatConstant(new Float32Array(sizeOf(dims)).fill(0.1), dims));
    const conv = builder.node('Conv', ['x', filled(4, 2, 3, 3)]);
    const pool = builder.node('GlobalAveragePool', [builder.node('HardSwish', [conv])]);
    builder.output(builder.node('Gemm', [builder.node('Flatten', [pool]), filled(4, 3)]), ['N', 3]);
    return builder.model(opset, ir);
  };

  it.each([
    [22, 10],
    [23, 11],
    [24, 12],
    [25, 12],
    [26, 13],
  ])('operator set %d in IR version %d is read, counted, written and run', async (opset, ir) => {
    const model = readModel(writeModel(small(opset, ir)), 'm');
    expect([model.irVersion, model.opsets.get('')]).toEqual([ir, opset]);
    expect(modelCosts(model).macs).toBe(4 * 9 * 18 + 12);
    expect(await compareModels(canonicalGraph(model), model)).toBe(0);
    expect(await compareModels(small(17, 8), model)).toBe(0);
  });
});
