// A network of depthwise layers whose channels have very different ranges, as batch normalisation leaves them when it is
// folded: inverted residuals of random weights, and a classifier that is fitted in closed form to real images.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDataset } from '../../src/data/index.ts';
import { createSession, tensor } from '../../src/engine/index.ts';
import { type Model, writeModel } from '../../src/onnx/index.ts';
import { floatConstant, GraphBuilder, int, ints, sizeOf } from '../../src/onnx/internal.ts';
import { type Matrix, Products, solveRidge } from '../../src/repair/internal.ts';
import { must } from '../../src/util/index.ts';
import { Random, rowRange } from '../../src/util/internal.ts';
import { dataPath } from './shared.ts';

const CLASSES = 6;
const SIDE = 64;
const PER_CLASS = 200;
const SEED = 11;
/** Channels and strides of the blocks, and how much wider they are inside. */
const BLOCKS = [
  { to: 24, stride: 2 },
  { to: 24, stride: 1 },
  { to: 32, stride: 2 },
  { to: 32, stride: 1 },
  { to: 64, stride: 2 },
  { to: 64, stride: 1 },
] as const;
const WIDER = 4;
const FEATURES = 256;
/** Standard deviation of the ranges of hidden channels, in octaves. */
const SPREAD = 1.5;

/** Where it is kept, outside version control. */
const PATH = fileURLToPath(new URL('../.cache/depthwise.onnx', import.meta.url));

/** Makes the network and returns its path. */
export async function depthwiseNetwork(): Promise<string> {
  const model = await withClassifier(new Draft());
  await mkdir(dirname(PATH), { recursive: true });
  await writeFile(PATH, writeModel(model));
  return PATH;
}

/** The network up to its features; all of it is drawn when it is made. */
class Draft {
  readonly builder = new GraphBuilder();
  readonly input: string;
  readonly features: string;
  readonly #random = new Random(SEED);

  constructor() {
    this.input = this.builder.input('input', ['batch', 1, SIDE, SIDE]);
    let [value, from] = [this.#relu(this.#conv(this.input, [16, 1, 3, 3], { stride: 2 })), 16];
    for (const { to, stride } of BLOCKS) {
      const wide = WIDER * from;
      const [first, second] = [this.#ranges(wide), this.#ranges(wide)];
      const ratio = second.map((range, c) => range / (first[c] as number));
      const expanded = this.#relu(this.#conv(value, [wide, from, 1, 1], { outputs: first }));
      const own = { stride, group: wide, outputs: ratio };
      const deep = this.#relu(this.#conv(expanded, [wide, 1, 3, 3], own));
      const narrow = this.#conv(deep, [to, wide, 1, 1], { inputs: second.map((range) => 1 / range) });
      value = stride === 1 && to === from ? this.builder.node('Add', [value, narrow]) : narrow;
      from = to;
    }
    const last = this.#relu(this.#conv(value, [FEATURES, from, 1, 1], {}));
    const pooled = this.builder.node('GlobalAveragePool', [last]);
    this.features = this.builder.node('Flatten', [pooled], { axis: int(1) });
  }

  #relu(value: string): string {
    return this.builder.node('Relu', [value]);
  }

  #ranges(channels: number): number[] {
    return Array.from({ length: channels }, () => 2 ** (SPREAD * this.#random.normal()));
  }

  /** A convolution of normal weights, whose outputs and inputs have these factors. */
  #conv(
    value: string,
    dims: readonly [number, number, number, number],
    options: { stride?: number; group?: number; outputs?: readonly number[]; inputs?: readonly number[] },
  ): string {
    const { stride = 1, group = 1, outputs, inputs } = options;
    const [, perGroup, kernel] = dims;
    const each = perGroup * kernel * kernel;
    const deviation = Math.sqrt(2 / each);
    const data = Float32Array.from({ length: sizeOf(dims) }, (_, i) => {
      const [out, into] = [Math.floor(i / each), Math.floor((i % each) / (kernel * kernel))];
      return this.#random.normal() * deviation * (outputs?.[out] ?? 1) * (inputs?.[into] ?? 1);
    });
    return this.builder.node('Conv', [value, this.builder.constant(floatConstant(data, dims), 'weight')], {
      kernel_shape: ints([kernel, kernel]),
      strides: ints([stride, stride]),
      pads: ints(new Array<number>(4).fill((kernel - 1) / 2)),
      group: int(group),
    });
  }
}

/** A dense layer behind the features, by ridge regression toward the classes. */
async function withClassifier(draft: Draft): Promise<Model> {
  const { builder, features } = draft;
  builder.output(features, ['batch', FEATURES]);
  const { x, y } = await classifierRows(builder.model(17, 8), draft);
  const products = await Products.create(1);
  const { centred, means, deviations } = standardised(x);
  const problem = { x: centred, residual: y, fitRows: Math.floor(0.75 * x.rows) };
  const { change } = await solveRidge(problem, products);
  await products.release();
  const solved = must(change, 'a fit').data;
  const weight = Float32Array.from(
    { length: FEATURES * CLASSES },
    (_, i) => (solved[i] as number) / (deviations[Math.floor(i / CLASSES)] as number),
  );
  const bias = Float32Array.from({ length: CLASSES }, (_, k) =>
    means.reduce((sum, mean, c) => sum - mean * (weight[c * CLASSES + k] as number), 0),
  );
  builder.graph.outputs = [];
  const scores = builder.node('Gemm', [
    features,
    builder.constant(floatConstant(weight, [FEATURES, CLASSES]), 'head'),
    builder.constant(floatConstant(bias), 'bias'),
  ]);
  builder.output(scores, ['batch', CLASSES]);
  return builder.model(17, 8);
}

/** Features of local samples in a mixed order, and 1 less the share of a class where the class is right. */
async function classifierRows(model: Model, { input, features }: Draft): Promise<{ x: Matrix; y: Matrix }> {
  const data = await openDataset(dataPath('medical-mnist'), {
    ...{ sampleShape: [1, SIDE, SIDE], classes: CLASSES, seed: SEED, split: 'local', perClass: PER_CLASS },
  });
  const order = new Random(SEED).shuffle(Array.from({ length: data.size }, (_, i) => i));
  const x = new Float64Array(data.size * FEATURES);
  const y = new Float64Array(data.size * CLASSES).fill(-1 / CLASSES);
  const session = await createSession(model, { name: 'depthwise features', threads: 1 });
  for (const [row, sample] of order.entries()) {
    const pixels = rowRange(data.samples, data.size, sample, 1);
    const found = (await session.run({ [input]: tensor(pixels, [1, 1, SIDE, SIDE]) }))[features];
    x.set(Float64Array.from(must(found, 'features').data as Float32Array), row * FEATURES);
    y[row * CLASSES + must(data.labels?.[sample], 'a label')] = 1 - 1 / CLASSES;
  }
  await session.release();
  return {
    x: { rows: data.size, columns: FEATURES, data: x },
    y: { rows: data.size, columns: CLASSES, data: y.map((value) => 10 * value) },
  };
}

function standardised({ rows, columns, data }: Matrix) {
  const means = new Float64Array(columns);
  const deviations = new Float64Array(columns);
  for (let i = 0; i < data.length; i++)
    means[i % columns] = (means[i % columns] ?? 0) + (data[i] ?? 0) / rows;
  for (let i = 0; i < data.length; i++) {
    const off = (data[i] ?? 0) - (means[i % columns] ?? 0);
    deviations[i % columns] = (deviations[i % columns] ?? 0) + off ** 2 / rows;
  }
  // A feature that hardly varies tells nothing.
  const spread = deviations.map((variance) => Math.sqrt(variance));
  const least = 1e-3 * Math.max(...spread);
  const scale = spread.map((value) => Math.max(value, least));
  const centred = data.map((value, i) => (value - (means[i % columns] ?? 0)) / (scale[i % columns] ?? 1));
  return { centred: { rows, columns, data: centred }, means, deviations: scale };
}
