// What a graph computes, whatever its values are called and its weights are: graphs of one shape take the same time.
import type { Attribute, Constant, Graph, Model } from '../../onnx/index.ts';

/**
 * A text that is equal for graphs of the same operators, attributes and sizes. Undefined for a graph with parts that are
 * only carried through.
 */
export function graphShape({ graph, opsets }: Model): string | undefined {
  const places = new Map<string, number>();
  // A value that is left out stays so.
  const placeOf = (name: string): number => {
    if (name !== '' && !places.has(name)) places.set(name, places.size);
    return places.get(name) ?? -1;
  };
  const inputs = graph.inputs.map(({ name, elemType, dims }) => [placeOf(name), elemType, dims]);
  const nodes: unknown[] = [];
  for (const { op, domain, inputs: reads, outputs, attributes } of graph.nodes) {
    const constants = reads.map((name) => constantShape(graph, name));
    const settings = [...attributes].map(([name, value]) => [name, attributeShape(value)]).sort();
    if ([...constants, ...settings.map(([, value]) => value)].includes(CARRIED)) return undefined;
    nodes.push([op, domain, reads.map(placeOf), constants, outputs.map(placeOf), settings]);
  }
  const outputs = graph.outputs.map(({ name }) => placeOf(name));
  return JSON.stringify([[...opsets], inputs, nodes, outputs]);
}

const CARRIED = 'carried';

function constantShape({ constants }: Graph, name: string): string {
  const constant = constants.get(name);
  return constant ? shapeOfTensor(constant) : '';
}

/** Whole numbers are sizes, axes and the like, so they count; weights do not. */
function shapeOfTensor(constant: Constant): string {
  if (constant.type === 'other') return CARRIED;
  const numbers = constant.type === 'int64' ? `: ${constant.data.join()}` : '';
  return `${constant.type}[${constant.dims.join()}]${numbers}`;
}

function attributeShape(attribute: Attribute): string {
  if (attribute.type === 'other') return CARRIED;
  return attribute.type === 'tensor' ? shapeOfTensor(attribute.value) : String(attribute.value);
}
