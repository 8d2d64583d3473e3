// Partial sums: only one of them may add the biases, so the others drop everything that does not depend on their
// channels.
import type { Model } from '../../onnx/index.ts';
import {
  constantInput,
  floatConstant,
  GraphBuilder,
  isWeighted,
  type Node,
  opOf,
  readsOf,
  sizeOf,
  symbolicShapes,
} from '../../onnx/internal.ts';
import { BedsideError, must } from '../../util/index.ts';

/** Indices of the inputs that an operator adds to its result. */
const ADDED: Readonly<Record<string, readonly number[]>> = {
  Conv: [2],
  ConvTranspose: [2],
  Gemm: [2],
  // Bias and running mean.
  BatchNormalization: [2, 3],
};

/**
 * From the last weighted layer to the output, sets biases to 0 and removes other summands. Changes the model in place.
 * @throws BedsideError E_INTERNAL if the nodes after that layer are not a chain
 */
export function dropBiases(model: Model): void {
  const { graph } = model;
  const shapes = symbolicShapes(model);
  const builder = new GraphBuilder(graph);
  const output = must(graph.outputs[0], 'an output').name;
  let node = must(
    graph.nodes.findLast((one) => isWeighted(graph, one)),
    'a weighted layer',
  );
  zeroBiases(model, builder, node);
  for (let value = node.outputs[0] ?? ''; value !== output; value = node.outputs[0] ?? '') {
    const readers = graph.nodes.filter((one) => readsOf(one).includes(value));
    if (readers.length !== 1) {
      throw new BedsideError(
        'E_INTERNAL',
        `internal: '${value}' has ${readers.length} readers in a split stage`,
      );
    }
    node = must(readers[0], 'a reader');
    const op = opOf(node);
    if (op === 'Add' || op === 'Sub') {
      const same = shapes.get(value)?.join() === shapes.get(node.outputs[0] ?? '')?.join();
      dropOther(builder, node, value, same);
    } else {
      zeroBiases(model, builder, node);
    }
  }
}

/**
 * Removes the other operand of a sum. If the sum broadcasts its value, the operand becomes zeros of the same shape
 * instead.
 */
function dropOther(builder: GraphBuilder, node: Node, value: string, same: boolean): void {
  const at = node.inputs.indexOf(value);
  const other = node.inputs[1 - at] ?? '';
  if (!same) {
    node.inputs[1 - at] = builder.node('Sub', [other, other], {}, `${node.name}_none`);
    const { nodes } = builder.graph;
    const made = must(nodes.pop(), 'a node');
    nodes.splice(nodes.indexOf(node), 0, made);
    return;
  }
  node.op = opOf(node) === 'Sub' && at === 1 ? 'Neg' : 'Identity';
  node.inputs = [value];
}

function zeroBiases({ graph }: Model, builder: GraphBuilder, node: Node): void {
  for (const input of ADDED[opOf(node) ?? ''] ?? []) {
    const name = node.inputs[input];
    if (!name) continue;
    const constant = must(constantInput(graph, node, input), `constant '${name}'`);
    node.inputs[input] = builder.constant(
      floatConstant(new Float32Array(sizeOf(constant.dims)), constant.dims),
      `${name}_none`,
    );
  }
}
