// A network whose values are rounded as integers would be, in float32 operators that every analysis knows: what a layer will
// really read, while others are still fitted.
import type { Model } from '../onnx/index.ts';
import { cloneModel, floatConstant, GraphBuilder, type Node } from '../onnx/internal.ts';
import { MOST_UINT8, type ValueScale } from '../util/internal.ts';
import type { IntegerPlaces } from './places.ts';

/** The nodes that round one value, and the constants that they read. */
export interface Rounding {
  /** Names of the nodes. */
  readonly nodes: readonly string[];
  readonly step: string;
  readonly low: string;
  readonly high: string;
}

/** A network with places for roundings. Its graph stays the same when scales become known. */
export interface RoundedModel {
  readonly model: Model;
  /** By the source of a scale. Values that float nodes give have none: see `IntegerPlaces`. */
  readonly roundings: ReadonlyMap<string, Rounding>;
}

/** A step so small that every float32 is a whole number of them, and a power of two, so that nothing changes. */
const NO_STEP = 2 ** -60;
const MOST_FLOAT32 = 3.4028234663852886e38;

/**
 * The model with a rounding behind each value that integer nodes give; none of them rounds yet. Names of values stay:
 * everything behind reads the rounded numbers.
 */
export function withRoundings(model: Model, { values }: IntegerPlaces): RoundedModel {
  const result = cloneModel(model);
  const builder = new GraphBuilder(result.graph);
  const roundings = new Map<string, Rounding>();
  const nodes: Node[] = [];
  for (const node of result.graph.nodes) {
    nodes.push(node);
    node.outputs = node.outputs.map((output) => {
      const value = values.get(output);
      if (!value?.born || value.source !== output) return output;
      const raw = builder.fresh(`${output}_raw`);
      const { made, rounding } = roundingOf(builder, raw, output);
      nodes.push(...made);
      roundings.set(output, rounding);
      return raw;
    });
  }
  result.graph.nodes = nodes;
  return { model: result, roundings };
}

/** The same graph, in which a value is rounded. */
export function withScale(model: Model, rounding: Rounding | undefined, { scale, zero }: ValueScale): Model {
  if (!rounding) return model;
  const result = cloneModel(model);
  const { constants } = result.graph;
  constants.set(rounding.step, floatConstant([scale], []));
  constants.set(rounding.low, floatConstant([-zero], []));
  constants.set(rounding.high, floatConstant([MOST_UINT8 - zero], []));
  return result;
}

function roundingOf(builder: GraphBuilder, from: string, to: string): { made: Node[]; rounding: Rounding } {
  const constant = (value: number, hint: string): string =>
    builder.constant(floatConstant([value], []), `${to}_${hint}`);
  const step = constant(NO_STEP, 'step');
  const [low, high] = [constant(-MOST_FLOAT32, 'low'), constant(MOST_FLOAT32, 'high')];
  const made: Node[] = [];
  const add = (op: string, inputs: string[], output: string): string => {
    const name = builder.fresh(`${to}_${op.toLowerCase()}`);
    made.push({ name, op, domain: '', inputs, outputs: [output], attributes: new Map() });
    return output;
  };
  const divided = add('Div', [from, step], builder.fresh(`${to}_steps`));
  const whole = add('Round', [divided], builder.fresh(`${to}_whole`));
  const within = add('Clip', [whole, low, high], builder.fresh(`${to}_within`));
  add('Mul', [within, step], to);
  return { made, rounding: { nodes: made.map(({ name }) => name), step, low, high } };
}
