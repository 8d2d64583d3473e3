// The forward pass over a reference input, for rules that compare the sample with it (DeepLIFT).
import {
  type BatchPlace,
  describeNode,
  fixedBatchOf,
  type Graph,
  type GraphBuilder,
  readsOf,
} from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';

/**
 * Adds a second forward pass, over the reference input. A single reference for all samples runs once and is broadcast
 * later. If the model fixes its batch, or merges it with another axis, it is copied for each sample first.
 */
export function addReference(
  builder: GraphBuilder,
  forward: Graph,
  input: string,
  shapes: ReadonlyMap<string, readonly number[]>,
  places: ReadonlyMap<string, BatchPlace>,
): { inputName: string; names: Map<string, string> } {
  const inputName = builder.input('reference', ['references', ...(shapes.get(input) ?? []).slice(1)]);
  const merged = [...places.values()].some(
    (place) => place.kind === 'axis' && place.before * place.after > 1,
  );
  const spread =
    fixedBatchOf({ graph: forward }) !== undefined || merged
      ? spreadLike(builder, inputName, input)
      : inputName;
  const names = new Map([...forward.constants.keys()].map((name) => [name, name]));
  names.set(input, spread);
  for (const node of forward.nodes) {
    const outputs = node.outputs.map((name) => (name ? builder.fresh(`${name}_reference`) : ''));
    const captured = readsOf(node).find(
      (name) => !node.inputs.includes(name) && !forward.constants.has(name),
    );
    if (captured !== undefined) {
      throw new BedsideError('E_UNSUPPORTED', `${describeNode(node)}: its subgraph reads '${captured}'`, {
        hint: 'DeepLIFT passes a reference through the network as well; take another criterion',
      });
    }
    builder.graph.nodes.push({
      ...node,
      name: builder.fresh(`${node.name}_reference`),
      inputs: node.inputs.map((name) => names.get(name) ?? name),
      outputs,
    });
    node.outputs.forEach((name, i) => {
      names.set(name, outputs[i] as string);
    });
  }
  return { inputName, names };
}

/** Copies a single row for each row of another value. */
export function spreadLike(builder: GraphBuilder, value: string, like: string): string {
  return builder.node('Expand', [value, builder.node('Shape', [like], {}, 'size')], {}, 'reference');
}
