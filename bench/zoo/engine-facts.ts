// Facts of a network that do not rest on rules of ours: shapes from the engine, multiply-accumulates by the textbook.
import { EngineTensor, openSession } from '../../src/engine/internal.ts';
import type { Model } from '../../src/onnx/index.ts';
import { ELEM, type Node, sizeOf } from '../../src/onnx/internal.ts';

/** Shapes of all values of the file, as the engine computes them. */
export async function engineShapes(model: Model, batch: number): Promise<Map<string, readonly number[]>> {
  const { graph } = model;
  const own = new Set(graph.outputs.map(({ name }) => name));
  const names = graph.nodes.flatMap(({ outputs }) => outputs.filter((name) => name && !own.has(name)));
  const outputs = [...graph.outputs, ...names.map((name) => ({ name, elemType: 0, dims: undefined }))];
  const session = await openSession(
    { ...model, graph: { ...graph, outputs } },
    { name: 'zoo', optimization: 'disabled' },
  );
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, dims, elemType }) => {
      const sizes = (dims ?? []).map((dim) => (typeof dim === 'number' ? dim : batch));
      const data =
        elemType === ELEM.int64
          ? new BigInt64Array(sizeOf(sizes))
          : new Float32Array(sizeOf(sizes)).fill(0.5);
      return [
        name,
        new EngineTensor(elemType === ELEM.int64 ? 'int64' : 'float32', data as Float32Array, sizes),
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

/** Multiply-accumulates of a node by the textbook, from the engine's shapes. */
export function products(node: Node, shapes: ReadonlyMap<string, readonly number[]>): number {
  const at = (index: number): readonly number[] => shapes.get(node.inputs[index] ?? '') ?? [];
  const out = sizeOf(shapes.get(node.outputs.find(Boolean) ?? '') ?? []);
  switch (node.op) {
    case 'Conv':
      return out * sizeOf(at(1).slice(1));
    case 'ConvTranspose':
      return sizeOf(at(0)) * sizeOf(at(1).slice(1));
    case 'Gemm':
      return out * (at(0)[node.attributes.get('transA') ? 0 : 1] ?? 0);
    case 'MatMul':
      return out * (at(0).at(-1) ?? 0);
    case 'LSTM':
    case 'GRU':
    case 'RNN':
      return (at(0)[0] ?? 0) * (at(0)[1] ?? 0) * (sizeOf(at(1)) + sizeOf(at(2)));
    default:
      return 0;
  }
}
