// Small models built in code, and their runs on ONNX Runtime, for this folder's tests.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSession, type Tensor } from '../../engine/index.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { readModel } from '../codec/codec.ts';
import { type Constant, ELEM, floatConstant, type Model, sizeOf } from '../graph.ts';
import { inferShapes } from '../shapes/shapes.ts';

/** A float32 constant of standard normal numbers. */
export function randomConstant(random: Random, dims: readonly number[], scale = 1): Constant {
  return floatConstant(
    Float32Array.from({ length: sizeOf(dims) }, () => scale * random.normal()),
    dims,
  );
}

/** Normal numbers for every input of a model, at a batch size. */
export function randomFeeds(model: Model, batch: number, seed = 1): Record<string, Tensor> {
  const random = new Random(seed);
  const shapes = inferShapes(model, batch);
  const feeds: Record<string, Tensor> = {};
  for (const { name, elemType } of model.graph.inputs) {
    const dims = must(shapes.get(name), `shape of ${name}`);
    const floats = Float32Array.from({ length: sizeOf(dims) }, () => random.normal());
    feeds[name] =
      elemType === ELEM.int64
        ? { type: 'int64', dims, data: BigInt64Array.from(floats, () => BigInt(random.integer(2))) }
        : { type: 'float32', dims, data: floats };
  }
  return feeds;
}

/** Runs a model once on ONNX Runtime, its own rewrites off. */
export async function run(
  model: Model | Uint8Array,
  feeds: Record<string, Tensor>,
): Promise<Record<string, Tensor>> {
  const session = await createSession(model, { name: 'test', optimization: 'disabled' });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** The largest absolute difference between two tensors of equal dims; infinite when dims or types differ. */
export function distance(a: Tensor | undefined, b: Tensor | undefined): number {
  if (!a || !b || a.type !== b.type || a.dims.join() !== b.dims.join()) return Number.POSITIVE_INFINITY;
  let most = 0;
  for (let i = 0; i < a.data.length; i++)
    most = Math.max(most, Math.abs(Number(a.data[i]) - Number(b.data[i])));
  return most;
}

/** Runs both models on the same input and returns the largest difference over all outputs. */
export async function compareModels(a: Model | Uint8Array, b: Model, batch = 2): Promise<number> {
  const feeds = randomFeeds(b, batch);
  const [left, right] = [await run(a, feeds), await run(b, feeds)];
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  return Math.max(...[...names].map((name) => distance(left[name], right[name])));
}

const SHARED = process.env.BEDSIDE_SHARED ?? join(import.meta.dirname, '../../../../shared');

/** The pre-trained models used for tests on real input; empty when the folder is missing. */
export const SHARED_MODELS: readonly string[] = [
  'ecg-resnet1d',
  'medical-mnist-resnet18',
  'medical-mnist-vgg16',
].filter((name) => existsSync(join(SHARED, 'models', `${name}.onnx`)));

/** The bytes of a pre-trained model. */
export function sharedBytes(name: string): Uint8Array {
  return readFileSync(join(SHARED, 'models', `${name}.onnx`));
}

/** A pre-trained model. */
export function sharedModel(name: string): Model {
  return readModel(sharedBytes(name), name);
}
