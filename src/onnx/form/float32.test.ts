import { describe, expect, it } from 'vitest';
import { EngineTensor, openSession } from '../../engine/internal.ts';
import { Random } from '../../util/internal.ts';
import { GraphBuilder } from '../builder.ts';
import { canonicalModel } from '../canonical/canonical.ts';
import { toHalf } from '../codec/numbers.ts';
import { roundTo } from '../codec/tensor-values.ts';
import { type Constant, ELEM, floatConstant, int, ints, type Model, sizeOf } from '../graph.ts';
import { constantOfKnown } from '../shapes/known.ts';
import { inFloat32, withFloatOutputs } from './float32.ts';
import { formOf } from './form.ts';
import { withOneInput } from './one-input.ts';
import { restored, restoredModel } from './restore.ts';

const SHAPE = [2, 1, 6, 6];

interface Kind {
  /** Of weights. */
  readonly elemType: number;
  /** Of inputs and outputs; weights of another type are cast, unless `casts` says that values are. */
  readonly edges: number;
  /** What is cast where edges and weights differ. */
  readonly casts?: 'weights' | 'values';
  /** Whether the softmax runs in float32. */
  readonly island?: boolean;
}

/** A small network of these numbers; doubles have dense layers alone, as the engine has no others of them. */
function net({ elemType, edges, casts, island }: Kind, seed = 1): Model {
  const random = new Random(seed);
  const builder = new GraphBuilder();
  const stored = (dims: readonly number[], name: string): string => {
    const data = Float64Array.from({ length: sizeOf(dims) }, () => roundTo(elemType, 0.4 * random.normal()));
    const given = builder.constant(constantOfKnown({ elemType, dims, data }) as Constant, name);
    return casts === 'weights' ? builder.node('Cast', [given], { to: int(edges) }, `${name}_cast`) : given;
  };
  const x = builder.input('x', ['batch', ...SHAPE.slice(1)], edges);
  const inside = casts === 'values' ? builder.node('Cast', [x], { to: int(elemType) }) : x;
  let features = builder.node('Flatten', [inside]);
  let width = 36;
  if (elemType !== ELEM.float64) {
    const conv = builder.node('Conv', [inside, stored([4, 1, 3, 3], 'w'), stored([4], 'b')], {
      pads: ints([1, 1, 1, 1]),
    });
    const pooled = builder.node('GlobalAveragePool', [builder.node('Relu', [conv])]);
    features = builder.node('Flatten', [pooled]);
    width = 4;
  }
  const hidden = builder.node('Relu', [
    builder.node('Gemm', [features, stored([width, 5], 'v'), stored([5], 'c')]),
  ]);
  let logits = builder.node('Gemm', [hidden, stored([5, 3], 'u')], {}, 'scores');
  if (island) {
    const wide = builder.node('Cast', [logits], { to: int(ELEM.float32) });
    logits = builder.node('Softmax', [wide], { axis: int(1) }, 'probabilities');
  } else if (casts === 'values') {
    logits = builder.node('Cast', [logits], { to: int(edges) }, 'logits');
  }
  builder.output(logits, ['batch', 3], island ? ELEM.float32 : edges);
  return builder.model();
}

const INPUT = Float32Array.from({ length: sizeOf(SHAPE) }, (_, i) =>
  Math.fround(roundTo(ELEM.float16, Math.sin(i))),
);

async function run(model: Model): Promise<number[]> {
  const session = await openSession(model, { name: 'net' });
  const [value] = model.graph.inputs;
  const type = value?.elemType;
  const data =
    type === ELEM.float16
      ? new EngineTensor('float16', Uint16Array.from(INPUT, toHalf), SHAPE)
      : type === ELEM.float64
        ? new EngineTensor('float64', Float64Array.from(INPUT), SHAPE)
        : new EngineTensor('float32', INPUT, SHAPE);
  const results = await session.run({ [value?.name ?? '']: data });
  await session.release();
  const found = results[model.graph.outputs[0]?.name ?? ''];
  const half = found?.type === 'float16' ? Array.from(found.data as Uint16Array, fromBits) : undefined;
  return half ?? Array.from(found?.data as Float32Array, Number);
}

/** The value of a half's bits, written out. */
function fromBits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

const KINDS: Readonly<Record<string, Kind>> = {
  'half weights, cast': { elemType: ELEM.float16, edges: ELEM.float32, casts: 'weights' },
  'half inside, float32 edges': { elemType: ELEM.float16, edges: ELEM.float32, casts: 'values' },
  'half throughout': { elemType: ELEM.float16, edges: ELEM.float16 },
  'half with a softmax of float32': { elemType: ELEM.float16, edges: ELEM.float16, island: true },
  'bfloat16 weights, cast': { elemType: ELEM.bfloat16, edges: ELEM.float32, casts: 'weights' },
  'doubles throughout': { elemType: ELEM.float64, edges: ELEM.float64 },
};

describe('inFloat32', () => {
  it.each(Object.entries(KINDS))('computes %s in float32, and gives it back', async (_, kind) => {
    const model = net(kind);
    const expected = await run(model);
    const near = (value: number) => expect.closeTo(value, kind.elemType === ELEM.float64 ? 6 : 3);
    const one = withFloatOutputs(withOneInput(model, 'net'));
    expect([...one.graph.inputs, ...one.graph.outputs].map(({ elemType }) => elemType)).toEqual([1, 1]);
    // Not changed inside.
    // The engine rounds to half between fewer operators where casts meet.
    expect(await run(one)).toEqual(expected.map(near));
    const floats = inFloat32(one, 'net');
    const canonical = canonicalModel(floats);
    for (const form of [floats, canonical]) {
      expect([...form.graph.constants.values()].every(({ type }) => type !== 'other')).toBe(true);
      const given = await run(form);
      expect(given).toEqual(expected.map((value) => expect.closeTo(value, 2)));
      const { model: back, remarks } = restored(form);
      expect(remarks).toEqual([]);
      expect(formOf(back)).toBeUndefined();
      const edges = (of: Model) =>
        [...of.graph.inputs, ...of.graph.outputs].map(({ name, elemType }) => [name, elemType]);
      expect(edges(back)).toEqual(edges(model));
      const stored = [...back.graph.constants.values()].filter(({ dims }) => dims.length === 2);
      expect(
        stored.every((constant) => constant.type === 'other' && constant.elemType === kind.elemType),
      ).toBe(true);
      expect(await run(back)).toEqual(expected.map(near));
    }
  });

  it('leaves a model of float32 as it is, also with shapes computed in double', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['batch', 4]);
    const size = builder.node('Cast', [builder.node('Shape', [x])], { to: int(ELEM.float64) });
    const target = builder.node('Cast', [size], { to: int(ELEM.int64) });
    builder.output(builder.node('Reshape', [x, target]), ['batch', 4]);
    const model = builder.model();
    expect(inFloat32(model, 'net')).toBe(model);
  });

  it('says why a number cannot be half again', () => {
    const floats = inFloat32(
      withFloatOutputs(withOneInput(net(KINDS['half throughout'] as Kind), 'net')),
      'net',
    );
    floats.graph.constants.set('u', floatConstant(new Float32Array(15).fill(70_000), [5, 3]));
    const { model, remarks } = restored(floats);
    expect(remarks).toEqual([
      "written as float32, not float16 as it came: 'u' holds 70000, which is beyond its range",
    ]);
    expect(model.graph.inputs[0]?.elemType).toBe(ELEM.float16);
    expect(model.graph.outputs[0]?.elemType).toBe(ELEM.float16);
  });

  it('keeps the types of inputs and outputs where the engine does not run the rest', async () => {
    const model = net(KINDS['half throughout'] as Kind);
    const floats = inFloat32(withFloatOutputs(withOneInput(model, 'net')), 'net');
    const { model: back, remarks } = restored(floats, false);
    expect(remarks).toHaveLength(1);
    expect(back.graph.outputs[0]?.elemType).toBe(ELEM.float16);
    const expected = await run(model);
    expect(await run(back)).toEqual(expected.map((value) => expect.closeTo(value, 2)));
  });

  it('refuses to compute in bfloat16', () => {
    const model = net({ elemType: ELEM.bfloat16, edges: ELEM.bfloat16 });
    expect(() => inFloat32(withOneInput(model, 'net'), 'net')).toThrow('net computes in bfloat16');
    expect(restoredModel(model)).toBe(model);
  });
});
