// Networks as people export them: every shape, and every multiply-accumulate, against what the engine itself gives for
// all values of a batch of two.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inferShapes, loadModel, type Model, modelCosts } from '../onnx/index.ts';
import { ELEM, type Node, sizeOf } from '../onnx/internal.ts';
import { withEngineShapes } from './index.ts';
import { EngineTensor, openSession } from './node.ts';

const ZOO = join(process.env.BEDSIDE_SHARED ?? join(import.meta.dirname, '../../../shared'), 'zoo');
/** Larger ones take long, and have nothing that these lack. */
const MOST_BYTES = 300_000;
const NETWORKS = existsSync(ZOO)
  ? readdirSync(ZOO).filter((name) => name.endsWith('.onnx') && statSync(join(ZOO, name)).size < MOST_BYTES)
  : [];
const BATCH = 2;

async function engineShapes(model: Model): Promise<Map<string, readonly number[]>> {
  const { graph } = model;
  const own = new Set(graph.outputs.map(({ name }) => name));
  const names = graph.nodes.flatMap(({ outputs }) => outputs.filter((name) => name && !own.has(name)));
  const outputs = [...graph.outputs, ...names.map((name) => ({ name, elemType: 0, dims: undefined }))];
  const all = { ...model, graph: { ...graph, outputs } };
  const session = await openSession(all, { name: 'zoo', optimization: 'disabled' });
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, dims, elemType }) => {
      const sizes = (dims ?? []).map((dim) => (typeof dim === 'number' ? dim : BATCH));
      return [
        name,
        elemType === ELEM.int64
          ? new EngineTensor('int64', new BigInt64Array(sizeOf(sizes)), sizes)
          : new EngineTensor('float32', new Float32Array(sizeOf(sizes)).fill(0.5), sizes),
      ];
    }),
  );
  const results = await session.run(feeds);
  await session.release();
  const shapes = new Map<string, readonly number[]>(
    Object.entries(results).map(([name, { dims }]) => [name, dims]),
  );
  for (const [name, { dims }] of graph.constants) shapes.set(name, dims);
  for (const [name, { dims }] of Object.entries(feeds)) shapes.set(name, dims);
  return shapes;
}

/** Multiply-accumulates of a node by the textbook. */
function products({ op, inputs, outputs }: Node, shapes: ReadonlyMap<string, readonly number[]>): number {
  const at = (name: string | undefined): readonly number[] => shapes.get(name ?? '') ?? [];
  const [x, w, y] = [at(inputs[0]), at(inputs[1]), at(outputs[0])];
  switch (op) {
    case 'Conv':
      return sizeOf(y) * sizeOf(w.slice(1));
    case 'ConvTranspose':
      return sizeOf(x) * sizeOf(w.slice(1));
    case 'Gemm':
    case 'MatMul':
      // The zoo turns no left factor.
      return sizeOf(y) * (x.at(-1) ?? 0);
    case 'LSTM':
      return (x[0] ?? 0) * (x[1] ?? 0) * (sizeOf(w) + sizeOf(at(inputs[2])));
    default:
      return 0;
  }
}

describe.skipIf(NETWORKS.length === 0)('on the zoo (needs the shared folder)', () => {
  it.each(NETWORKS)('%s has the shapes and the costs that the engine has', async (name) => {
    const model = await loadModel(join(ZOO, name));
    const measured = await withEngineShapes(model, name);
    const real = await engineShapes(model);
    const inferred = inferShapes(measured, BATCH);
    const wrong = [...real].filter(([value, dims]) => inferred.get(value)?.join() !== dims.join());
    expect(wrong).toEqual([]);
    const costs = modelCosts(measured);
    expect(costs.uncounted).toEqual([]);
    expect(costs.unknown).toEqual([]);
    const twin = model.graph.nodes.reduce((sum, node) => sum + products(node, real), 0);
    expect(costs.macs).toBe(twin / BATCH);
  });
});
