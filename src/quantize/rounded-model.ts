// A network whose values are rounded as integers would be, in float32 operators that every analysis knows: what a layer will
// really read, while others are still fitted.
import type { Model } from '../onnx/index.ts';
import { cloneModel, GraphBuilder, type Node } from '../onnx/internal.ts';
import { MOST_UINT8, type ValueScale } from './integers.ts';
import type { IntegerPlaces } from './places.ts';

/**
 * The model with values rounded where integer nodes give them and their scale is known. Their names stay: everything
 * behind reads the rounded numbers. Values that float nodes give are left: see `IntegerPlaces`.
 */
export function withRoundedValues(
  model: Model,
  { values }: IntegerPlaces,
  scales: ReadonlyMap<string, ValueScale>,
): Model {
  const result = cloneModel(model);
  const builder = new GraphBuilder(result.graph);
  const nodes: Node[] = [];
  for (const node of result.graph.nodes) {
    nodes.push(node);
    node.outputs = node.outputs.map((output) => {
      const value = values.get(output);
      const scale = value?.born && value.source === output ? scales.get(output) : undefined;
      if (!scale) return output;
      const raw = builder.fresh(`${output}_raw`);
      nodes.push(...rounding(builder, raw, output, scale));
      return raw;
    });
  }
  result.graph.nodes = nodes;
  return result;
}

function rounding(builder: GraphBuilder, from: string, to: string, { scale, zero }: ValueScale): Node[] {
  const step = builder.scalar(scale);
  const bounds = [builder.scalar(-zero), builder.scalar(MOST_UINT8 - zero)];
  const made: Node[] = [];
  const add = (op: string, inputs: string[], output: string): string => {
    made.push({
      name: builder.fresh(output),
      op,
      domain: '',
      inputs,
      outputs: [output],
      attributes: new Map(),
    });
    return output;
  };
  const divided = add('Div', [from, step], builder.fresh(`${to}_steps`));
  const whole = add('Round', [divided], builder.fresh(`${to}_whole`));
  const within = add('Clip', [whole, ...bounds], builder.fresh(`${to}_within`));
  add('Mul', [within, step], to);
  return made;
}
