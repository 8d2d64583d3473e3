import { describe, expect, it } from 'vitest';
import { createSession, tensor } from '../../engine/index.ts';
import { EngineTensor, openSession } from '../../engine/internal.ts';
import { Random } from '../../util/internal.ts';
import { GraphBuilder } from '../builder.ts';
import { canonicalModel } from '../canonical/canonical.ts';
import { type Dim, ELEM, floatConstant, int, ints, type Model, sizeOf } from '../graph.ts';
import { withOutputFirst } from './choose-output.ts';
import { packedInputs, wholePositions } from './form.ts';
import { withOneInput } from './one-input.ts';
import { restoredModel } from './restore.ts';

const BATCH = 3;
const CLASSES = 4;

/** Inputs of a random net: floats of several ranks, one with its batch behind, indices, flags, half and double. */
function randomNet(seed: number, batch: Dim, opset = 17): Model {
  const random = new Random(seed);
  const builder = new GraphBuilder();
  const kinds: ((name: string) => string)[] = [
    (name) => builder.node('Flatten', [builder.input(name, [batch, 2, 5])]),
    (name) => builder.input(name, [batch, 3]),
    (name) => {
      const behind = builder.input(name, [4, typeof batch === 'string' ? batch : 4, 2]);
      return builder.node('Flatten', [builder.node('Transpose', [behind], { perm: ints([1, 0, 2]) })]);
    },
    (name) => gathered(builder, builder.input(name, [batch], ELEM.int64)),
    (name) => gathered(builder, builder.input(name, [batch, 2], ELEM.int32)),
    (name) => cast(builder, builder.input(name, [batch, 2], ELEM.bool)),
    (name) => cast(builder, builder.input(name, [batch, 2, 2], ELEM.float16)),
    (name) => cast(builder, builder.input(name, [batch, 1], ELEM.float64)),
    (name) => cast(builder, builder.input(name, [batch, 3], ELEM.uint8)),
  ];
  // A fixed batch of 3 has no name by which the axis could be known.
  const possible = typeof batch === 'string' ? kinds : kinds.filter((_, i) => i !== 2);
  const chosen = random.shuffle(Int32Array.from(possible.keys())).subarray(0, 2 + random.integer(4));
  const parts = Array.from(chosen, (kind, i) => (possible[kind] as (name: string) => string)(`in${i}`));
  const joined = builder.node('Concat', parts, { axis: int(1) });
  const width = Array.from(
    chosen,
    (kind) => WIDTHS[possible === kinds || kind < 2 ? kind : kind + 1] as number,
  );
  const size = width.reduce((sum, one) => sum + one, 0);
  const weights = Float32Array.from({ length: size * CLASSES }, () => random.normal());
  const weight = builder.constant(floatConstant(weights, [size, CLASSES]), 'weight');
  const logits = builder.node('MatMul', [joined, weight], {}, 'logits');
  builder.output(logits, [batch, CLASSES]);
  return builder.model(opset);
}

const WIDTHS = [10, 3, 8, 2, 4, 2, 4, 1, 3];

function cast(builder: GraphBuilder, name: string): string {
  return builder.node('Flatten', [builder.node('Cast', [name], { to: int(ELEM.float32) })]);
}

function gathered(builder: GraphBuilder, indices: string): string {
  const table = builder.constant(floatConstant([1, 2, 3, 4, 5, -6], [3, 2]), 'table');
  return builder.node('Flatten', [builder.node('Gather', [table, indices])]);
}

/** Numbers of an input as the packed row has them, `[size]`, for one sample. */
function numbersOf(elemType: number, size: number, random: Random): number[] {
  return Array.from({ length: size }, () => {
    if (elemType === ELEM.bool) return random.integer(2);
    // A half holds quarters exactly.
    return isWhole(elemType) ? random.integer(3) : random.integer(16) / 4;
  });
}

const isWhole = (elemType: number): boolean =>
  ([ELEM.int64, ELEM.int32, ELEM.uint8, ELEM.bool] as number[]).includes(elemType);

/** `[batch, ...shape]` with the batch moved to the axis that the file has it on. */
function moved(rows: readonly number[][], dims: readonly Dim[]): number[] {
  if (dims[0] !== 4) return rows.flat();
  // [4, batch, 2]
  return [0, 1, 2, 3].flatMap((t) => rows.flatMap((row) => row.slice(2 * t, 2 * t + 2)));
}

function engineTensor(elemType: number, data: readonly number[], dims: readonly number[]) {
  switch (elemType) {
    case ELEM.int64:
      return new EngineTensor('int64', BigInt64Array.from(data, BigInt), dims);
    case ELEM.int32:
      return new EngineTensor('int32', Int32Array.from(data), dims);
    case ELEM.bool:
      return new EngineTensor('bool', Uint8Array.from(data), dims);
    case ELEM.uint8:
      return new EngineTensor('uint8', Uint8Array.from(data), dims);
    case ELEM.float64:
      return new EngineTensor('float64', Float64Array.from(data), dims);
    case ELEM.float16:
      return new EngineTensor('float16', Uint16Array.from(data, half), dims);
    default:
      return new EngineTensor('float32', Float32Array.from(data), dims);
  }
}

/** Bits of a multiple of 1/4 below 4, of which a half has every bit. */
function half(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(value));
  return ((exponent + 15) << 10) | Math.round((value / 2 ** exponent - 1) * 1024);
}

describe('withOneInput', () => {
  it.each([
    [1, 'batch', 17],
    [2, 'N', 17],
    [3, 'batch', 11],
    [4, BATCH, 17],
    [5, 'batch', 17],
    [6, BATCH, 12],
    [7, 'n', 13],
    [8, 'batch', 17],
  ] as const)(
    'gives what the model of several inputs gives, and back (seed %i)',
    async (seed, batch, opset) => {
      const random = new Random(seed);
      const model = randomNet(seed, batch, opset);
      const packed = withOneInput(model, 'net');
      expect(packed.graph.inputs).toHaveLength(1);
      const inputs = packedInputs(packed) ?? [];
      expect(inputs.map(({ name }) => name)).toEqual(model.graph.inputs.map(({ name }) => name));

      const samples = inputs.map(({ elemType, shape }) =>
        Array.from({ length: BATCH }, () => numbersOf(elemType, sizeOf(shape), random)),
      );
      const feeds = Object.fromEntries(
        model.graph.inputs.map(({ name, elemType, dims = [] }, i) => {
          const sizes = dims.map((dim) => (typeof dim === 'number' ? dim : BATCH));
          return [name, engineTensor(elemType, moved(samples[i] as number[][], dims), sizes)];
        }),
      );
      const rows = Array.from({ length: BATCH }, (_, at) => samples.flatMap((one) => one[at] as number[]));
      const [input] = packed.graph.inputs;
      const row = tensor(Float32Array.from(rows.flat()), [BATCH, rows[0]?.length ?? 0]);

      const run = async (one: Model) => {
        const session = await openSession(one, { name: 'original' });
        const { logits } = await session.run(feeds);
        await session.release();
        return Array.from(logits?.data as Float32Array);
      };
      const expected = await run(model);
      for (const form of [packed, canonicalModel(packed)]) {
        const session = await createSession(form, { name: 'packed' });
        const { logits } = await session.run({ [input?.name ?? '']: row });
        await session.release();
        expect(Array.from(logits?.data as Float32Array)).toEqual(expected);
        const back = restoredModel(form);
        expect(back.graph.inputs).toEqual(model.graph.inputs);
        expect(await run(back)).toEqual(expected);
      }
    },
  );

  it('leaves a model with one plain input as it is', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['batch', 4]);
    builder.output(builder.node('Relu', [x]), ['batch', 4]);
    const model = builder.model();
    expect(withOneInput(model, 'net')).toBe(model);
    expect(restoredModel(model)).toBe(model);
  });

  it('leaves out what nothing reads, and gives it back', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['batch', 4]);
    builder.input('unused', ['batch', 2], ELEM.int64);
    builder.output(builder.node('Relu', [x]), ['batch', 4]);
    const model = builder.model();
    const one = withOneInput(model, 'net');
    expect(one.graph.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(packedInputs(one)).toBeUndefined();
    expect(restoredModel(one).graph.inputs).toEqual(model.graph.inputs);
  });

  it('refuses an input without a batch axis by its name', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['batch', 4]);
    const scale = builder.input('scale', [1]);
    builder.output(builder.node('Mul', [x, scale]), ['batch', 4]);
    expect(() => withOneInput(builder.model(), 'net')).toThrow(/input 'scale' \[1\] has no batch axis/);
  });

  it('refuses open sizes beside the batch', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['batch', 'time']);
    const y = builder.input('y', ['batch', 1]);
    builder.output(builder.node('Mul', [x, y]), ['batch', 'time']);
    expect(() => withOneInput(builder.model(), 'net')).toThrow(/input 'x' is \[batch, time\]/);
  });

  it('knows the positions of whole numbers and flags', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['batch', 4]);
    const site = builder.input('site', ['batch'], ELEM.int64);
    const flags = builder.input('flags', ['batch', 2], ELEM.bool);
    const parts = [x, gathered(builder, site), cast(builder, flags)];
    builder.output(builder.node('Concat', parts, { axis: int(1) }), ['batch', 8]);
    expect(wholePositions(withOneInput(builder.model(), 'net'))).toEqual([
      { start: 4, end: 5 },
      { start: 5, end: 7 },
    ]);
  });
});

describe('withOutputFirst', () => {
  const builder = new GraphBuilder();
  const x = builder.input('x', ['batch', 4]);
  builder.output(builder.node('Relu', [x], {}, 'a'), ['batch', 4]);
  builder.output(builder.node('Sigmoid', [x], {}, 'b'), ['batch', 4]);
  const model = builder.model();

  it('puts an output first, and back', () => {
    const chosen = withOutputFirst(model, 'b', 'net');
    expect(chosen.graph.outputs.map(({ name }) => name)).toEqual(['b', 'a']);
    expect(restoredModel(chosen).graph.outputs).toEqual(model.graph.outputs);
  });

  it('lists the outputs where it has none of that name', () => {
    expect(() => withOutputFirst(model, 'c', 'net')).toThrow(
      expect.objectContaining({ code: 'E_USAGE', hint: "its outputs are 'a', 'b'" }),
    );
  });
});
