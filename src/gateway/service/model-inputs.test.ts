// Requests for networks of several inputs: named as in their file, and answered as the engine does for that file.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EngineTensor, openSession } from '../../engine/internal.ts';
import { canonicalGraph, ELEM, GraphBuilder, int, withOneInput } from '../../onnx/internal.ts';
import { randomConstant } from '../../onnx/test-support/models.ts';
import { writtenBundle } from '../../run/test-support/bundles.ts';
import { Random } from '../../util/internal.ts';
import { type Gateway, serve } from '../serve.ts';

/** An image and two numbers of a patient, one of them a whole number. */
function network() {
  const random = new Random(2);
  const builder = new GraphBuilder();
  const [x, age] = [builder.input('x', ['N', 1, 6, 6]), builder.input('age', ['N', 1])];
  const site = builder.input('site', ['N', 1], ELEM.int64);
  const weights = (...dims: number[]) => builder.constant(randomConstant(random, dims));
  const map = builder.node('Relu', [builder.node('Conv', [x, weights(4, 1, 3, 3)], {}, 'conv')]);
  const pooled = builder.node('Flatten', [builder.node('GlobalAveragePool', [map])]);
  const number = builder.node('Cast', [site], { to: int(ELEM.float32) });
  const joined = builder.node('Concat', [pooled, age, number], { axis: int(1) });
  builder.output(builder.node('Gemm', [joined, weights(6, 3)], {}, 'y'), ['N', 3]);
  return builder.model();
}

let folder: string;
let gateway: Gateway;
let base: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-inputs-'));
  const model = canonicalGraph(withOneInput(network(), 'net'));
  const bundle = await writtenBundle(join(folder, 'bundle'), model);
  gateway = await serve([bundle], { port: 0, workers: 1, measure: false });
  base = `${gateway.url}/v2/models/${bundle.manifest.name}`;
});
afterAll(async () => {
  await gateway?.close();
  await rm(folder, { recursive: true, force: true });
});

const random = new Random(3);
const image = Float32Array.from({ length: 2 * 36 }, () => random.normal());
const inputs = [
  { name: 'site', shape: [2, 1], datatype: 'INT64', data: [3, 1] },
  { name: 'x', shape: [2, 1, 6, 6], datatype: 'FP32', data: Array.from(image) },
  { name: 'age', shape: [2, 1], datatype: 'FP64', data: [0.5, -0.25] },
];

async function ask(path: string, body: object) {
  const response = await fetch(`${base}${path}`, { method: 'POST', body: JSON.stringify(body) });
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
}

it('are described and taken by name, in any order, and explained each by itself', async () => {
  const described = (await (await fetch(base)).json()) as { inputs: unknown };
  expect(described.inputs).toEqual([
    { name: 'x', datatype: 'FP32', shape: [-1, 1, 6, 6] },
    { name: 'age', datatype: 'FP32', shape: [-1, 1] },
    { name: 'site', datatype: 'INT64', shape: [-1, 1] },
  ]);
  const { status, answer } = await ask('/explain', { inputs, parameters: { variant: 0 } });
  expect(status).toBe(200);
  const outputs = answer.outputs as { name: string; shape: number[]; data: number[] }[];
  expect(outputs.map(({ name, shape }) => [name, shape])).toEqual([
    ['y', [2, 3]],
    ['x_relevance', [2, 1, 6, 6]],
    ['age_relevance', [2, 1]],
    ['site_relevance', [2, 1]],
  ]);
  const session = await openSession(network(), { name: 'net' });
  const own = await session.run({
    x: new EngineTensor('float32', image, [2, 1, 6, 6]),
    age: new EngineTensor('float32', Float32Array.of(0.5, -0.25), [2, 1]),
    site: new EngineTensor('int64', BigInt64Array.of(3n, 1n), [2, 1]),
  });
  await session.release();
  const right = own.y?.data as Float32Array;
  for (const [i, value] of (outputs[0]?.data ?? []).entries()) {
    expect(Math.abs(value - (right[i] as number))).toBeLessThan(1e-4);
  }
});

it.each([
  ['one is missing', inputs.slice(1), "needs the input 'site'"],
  ['one is unknown', [...inputs, { name: 'z', shape: [2], datatype: 'FP32', data: [1, 2] }], "no input 'z'"],
  [
    'they have different batches',
    [{ ...inputs[0], shape: [1, 1], data: [3] }, ...inputs.slice(1)],
    'samples',
  ],
])('are refused where %s', async (_what, given, says) => {
  const { status, answer } = await ask('/infer', { inputs: given });
  expect([status, answer.code]).toEqual([400, 'E_REQUEST']);
  expect(answer.error).toContain(says);
});
