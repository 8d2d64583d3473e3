// Small random networks built in code, and the check that a cut equals a mask.
import { expect } from 'vitest';
import { createSession, type Tensor, tensor } from '../../engine/index.ts';
import { type Attribute, inferShapes, type Model, modelCosts } from '../../onnx/index.ts';
import {
  float,
  floatConstant,
  GraphBuilder,
  int,
  intConstant,
  ints,
  layerLayout,
  sizeOf,
} from '../../onnx/internal.ts';
import { Random } from '../../util/internal.ts';
import { findGroups, type Grouping } from '../groups.ts';
import type { KeptUnits } from '../keep.ts';
import { macsCounter } from '../macs.ts';
import { maskModel } from '../mask.ts';
import { sliceModel } from '../slice.ts';

export interface ConvOptions {
  readonly kernel?: number;
  readonly stride?: number;
  readonly group?: number;
  readonly bias?: boolean;
  readonly transposed?: boolean;
  readonly weight?: string;
}

/** A network under construction; every method returns the name of the value it makes. */
export class Net {
  readonly builder = new GraphBuilder();
  readonly random: Random;
  readonly input: string;
  readonly #inputDims: readonly number[];
  readonly #channels = new Map<string, number>();

  constructor(sample: readonly number[], seed = 1) {
    this.random = new Random(seed);
    this.#inputDims = sample;
    this.input = this.builder.input('input', ['batch', ...sample]);
    this.#channels.set(this.input, sample[0] as number);
  }

  weights(dims: readonly number[], scale: number): string {
    const data = Float32Array.from({ length: sizeOf(dims) }, () => this.random.normal() * scale);
    return this.builder.constant(floatConstant(data, dims), 'weights');
  }

  op(op: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}, name = op): string {
    return this.builder.node(op, inputs, attributes, name);
  }

  relu(x: string): string {
    return this.op('Relu', [x]);
  }

  conv(name: string, x: string, from: number, to: number, options: ConvOptions = {}): string {
    const { kernel = 3, stride = 1, group = 1, bias = true, transposed = false } = options;
    const spatial = this.#inputDims.length - 1;
    const window = new Array<number>(spatial).fill(kernel);
    const dims = transposed ? [from, to / group, ...window] : [to, from / group, ...window];
    const weight = options.weight ?? this.weights(dims, 1.4 / Math.sqrt((from / group) * kernel ** spatial));
    const inputs = bias ? [x, weight, this.weights([to], 0.3)] : [x, weight];
    return this.op(
      transposed ? 'ConvTranspose' : 'Conv',
      inputs,
      {
        kernel_shape: ints(window),
        strides: ints(window.map(() => stride)),
        pads: ints([...window, ...window].map(() => (kernel - 1) >> 1)),
        group: int(group),
      },
      name,
    );
  }

  batchNorm(x: string, channels: number): string {
    const variance = Float32Array.from({ length: channels }, () => 0.5 + this.random.uniform());
    const params = [
      this.weights([channels], 1),
      this.weights([channels], 0.5),
      this.weights([channels], 0.5),
      this.builder.constant(floatConstant(variance), 'variance'),
    ];
    return this.op('BatchNormalization', [x, ...params], { epsilon: float(1e-5) });
  }

  ints(values: readonly number[]): string {
    return this.builder.constant(intConstant(values), 'ints');
  }

  gemm(name: string, x: string, from: number, to: number, transB = true): string {
    const weight = this.weights(transB ? [to, from] : [from, to], 1.4 / Math.sqrt(from));
    return this.op('Gemm', [x, weight, this.weights([to], 0.3)], { transB: int(transB ? 1 : 0) }, name);
  }

  /** A layer of `[..., from]` without a bias. */
  matmul(name: string, x: string, from: number, to: number): string {
    return this.op('MatMul', [x, this.weights([from, to], 1.4 / Math.sqrt(from))], {}, name);
  }

  scalar(value: number): string {
    return this.builder.scalar(value);
  }

  /** Global average pool and a linear layer to three classes: the end of most networks here. */
  head(x: string, channels: number): Model {
    const pooled = this.op('Flatten', [this.op('GlobalAveragePool', [x])], { axis: int(1) });
    return this.finish(this.gemm('head', pooled, channels, 3));
  }

  finish(logits: string, opset = 14): Model {
    this.builder.output(logits, undefined);
    this.builder.graph.outputs = [{ name: logits, elemType: 1, dims: ['batch', 3] }];
    return this.builder.model(opset, 8);
  }
}

/** Keeps a random non-empty proper subset of the units of the given groups. */
export function randomKeep(
  grouping: Grouping,
  groups: readonly number[],
  random: Random,
): Map<number, number[]> {
  return new Map(
    groups.map((id) => {
      const size = grouping.groups[id]?.channels ?? 0;
      const count = 1 + random.integer(size - 1);
      const units = random.shuffle(Array.from({ length: size }, (_, i) => i)).slice(0, count);
      return [id, units.sort((a, b) => a - b)];
    }),
  );
}

/** Runs a model on `batch` random samples. */
export async function run(model: Model, batch = 3, seed = 99): Promise<Float32Array> {
  const input = model.graph.inputs[0];
  const dims = [batch, ...(input?.dims ?? []).slice(1).map(Number)];
  const random = new Random(seed);
  const data = Float32Array.from({ length: sizeOf(dims) }, () => random.normal());
  const session = await createSession(model, { name: 'test', optimization: 'basic' });
  try {
    const outputs = await session.run({ [input?.name ?? '']: tensor(data, dims) });
    return (outputs[model.graph.outputs[0]?.name ?? ''] as Extract<Tensor, { type: 'float32' }>).data;
  } finally {
    await session.release();
  }
}

export function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((max, value, i) => {
    const difference = Math.abs(value - (b[i] as number));
    return difference <= max ? max : Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }, 0);
}

/**
 * For every single group and for mixed plans: the cut model computes what the masked one does, and is smaller.
 * That masks are felt at all is checked too; a single group may by chance be one of dead units.
 * @param every takes every so manieth group by itself, for networks that take long
 */
export async function expectCutEqualsMasked(model: Model, seed = 5, every = 1): Promise<Grouping> {
  const grouping = findGroups(model);
  const random = new Random(seed);
  const all = grouping.groups.map((group) => group.id);
  const full = await run(model);
  const felt: boolean[] = [];
  for (const { id, readers } of grouping.groups.filter((_, i) => i % every === 0)) {
    const change = await expectEqual(model, grouping, randomKeep(grouping, [id], random), full);
    if (readers.length > 0) felt.push(change > 1e-3);
  }
  expect(felt.filter(Boolean).length).toBeGreaterThanOrEqual(felt.length * 0.6);
  expect(await expectEqual(model, grouping, randomKeep(grouping, all, random), full)).toBeGreaterThan(1e-3);
  expect(await expectEqual(model, grouping, new Map(all.map((id) => [id, [0]])), full)).toBeGreaterThan(1e-3);
  return grouping;
}

/** How much the mask changes the output. */
async function expectEqual(
  model: Model,
  grouping: Grouping,
  keep: KeptUnits,
  full: Float32Array,
): Promise<number> {
  const cut = sliceModel(model, grouping, keep);
  const masked = await run(maskModel(model, grouping, keep));
  expect(largestDifference(await run(cut), masked)).toBeLessThanOrEqual(1e-4);
  expectCounts(model, cut, grouping, keep);
  return largestDifference(masked, full);
}

function expectCounts(model: Model, cut: Model, grouping: Grouping, keep: KeptUnits): void {
  const shapes = inferShapes(cut, 1);
  for (const node of cut.graph.nodes) {
    const before = model.graph.nodes.find((other) => other.name === node.name);
    const layout = before && layerLayout(model.graph, before, (name) => grouping.shapes.get(name));
    if (!layout) continue;
    const removed = grouping.groups.flatMap((group) => {
      const kept = new Set(keep.get(group.id) ?? group.members[0]?.units.keys());
      const units = group.members.find((member) => member.layer === node.name)?.units ?? [];
      return units.filter((_, unit) => !kept.has(unit));
    });
    const gone = removed.reduce((sum, channels) => sum + channels.length, 0);
    const after = layerLayout(cut.graph, node, (name) => shapes.get(name));
    expect(after?.outChannels, node.name).toBe(layout.outChannels - gone);
    const shape = shapes.get(node.outputs[0] ?? '');
    if (shape) expect(shape[layout.outputAxis], node.name).toBe(layout.outChannels - gone);
  }
  expect(macsCounter(model, grouping)(keep)).toBe(modelCosts(cut).macs);
}
