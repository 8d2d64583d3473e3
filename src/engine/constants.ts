// Exporters' arithmetic on shapes that no rule of ours evaluates, evaluated by the engine itself.
import type { Constant, Model } from '../onnx/index.ts';
import {
  batchSymbols,
  cloneModel,
  constantOfKnown,
  extractSubgraph,
  removeDead,
  sizeOf,
  valuesOfShapes,
} from '../onnx/internal.ts';
import { Random } from '../util/internal.ts';
import { type EngineTensor, openSession } from './node.ts';
import { ELEM_TYPES, feedsOf } from './trial-feeds.ts';

/** Batch sizes at which values are compared; what is equal at all of them does not depend on the batch. */
const BATCHES = [2, 3, 7] as const;

/** Elements of one constant, and of all together, that are written into the graph. */
const MOST_ELEMENTS = 2 ** 20;
const MOST_IN_ALL = 2 ** 22;

/**
 * The same model with values that follow from shapes alone as constants, where they are equal at several batch sizes:
 * masks and paddings of shifted windows, grids of positions. The engine computes them from random samples. A model
 * without such values, or one that the engine cannot run, is given back as it is.
 * @param name how messages call the model
 */
export async function withEngineConstants(model: Model, name: string): Promise<Model> {
  const values = valuesOfShapes(model.graph);
  if (values.length === 0) return model;
  const found = await constantsOf(model, values, name);
  if (found.size === 0) return model;
  const result = cloneModel(model);
  const { graph } = result;
  for (const node of graph.nodes) {
    // A value keeps its name only if all outputs of its node are constants now.
    if (node.outputs.some((output) => output && !found.has(output))) continue;
    for (const output of node.outputs) {
      const constant = found.get(output);
      if (constant) graph.constants.set(output, constant);
    }
    node.outputs = [];
  }
  graph.nodes = graph.nodes.filter(({ outputs }) => outputs.length > 0);
  removeDead(graph);
  return result;
}

async function constantsOf(
  model: Model,
  values: readonly string[],
  name: string,
): Promise<Map<string, Constant>> {
  const found = new Map<string, Constant>();
  try {
    const inputs = model.graph.inputs.map((input) => input.name);
    const part = extractSubgraph(model, inputs, values);
    // What the part says of their shapes may be wrong, and the engine knows better.
    const outputs = part.graph.outputs.map((value) => ({ ...value, elemType: 0, dims: undefined }));
    const session = await openSession(
      { ...part, graph: { ...part.graph, outputs } },
      { name, optimization: 'disabled' },
    );
    try {
      const batches = batchSymbols(model.graph).size > 0 ? BATCHES : [1];
      const runs = [];
      for (const batch of batches) runs.push(await session.run(feedsOf(model, batch, new Random(batch))));
      let left = MOST_IN_ALL;
      for (const value of values) {
        const [first, ...others] = runs.map((run) => run[value]);
        if (!first || !others.every((other) => other && isSame(first, other))) continue;
        const size = sizeOf(first.dims);
        const constant = size <= Math.min(MOST_ELEMENTS, left) ? constantOf(first) : undefined;
        if (!constant) continue;
        left -= size;
        found.set(value, constant);
      }
    } finally {
      await session.release();
    }
  } catch (error) {
    // The engine cannot run this part: what needs the value later says so, with the operator's name.
    if (error instanceof TypeError || error instanceof RangeError) throw error;
  }
  return found;
}

type RunTensor = InstanceType<typeof EngineTensor>;

function isSame(a: RunTensor, b: RunTensor): boolean {
  if (a.type !== b.type || a.dims.join() !== b.dims.join()) return false;
  const [one, other] = [a.data, b.data] as unknown as [ArrayLike<unknown>, ArrayLike<unknown>];
  return Array.from(one).every((value, i) => Object.is(value, other[i]));
}

function constantOf({ type, dims, data }: RunTensor): Constant | undefined {
  const elemType = ELEM_TYPES[type];
  if (elemType === undefined || type === 'string' || type === 'float16') return undefined;
  const numbers = Float64Array.from(data as unknown as ArrayLike<number | bigint>, Number);
  return constantOfKnown({ elemType, dims: [...dims], data: numbers });
}
