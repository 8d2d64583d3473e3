// A model of half or double numbers as one of float32: weights that are stored so, and all that is computed with them.
import { BedsideError } from '../../util/index.ts';
import {
  type Attribute,
  type Constant,
  cloneModel,
  ELEM,
  floatConstant,
  type Graph,
  int,
  isFloating,
  type Model,
  type Node,
} from '../graph.ts';
import { NameAllocator } from '../names.ts';
import { intAttribute } from '../ops.ts';
import { knownOf } from '../shapes/known.ts';
import { inferValues } from '../shapes/shapes.ts';
import { outerSubgraphs } from '../subgraphs.ts';
import { pinnedValues } from '../surgery.ts';
import { type FormNumbers, formOf, withForm } from './form.ts';

/** Operators with weights, and the first of their inputs that may be one. */
export const WEIGHTED: ReadonlyMap<string, number> = new Map([
  ['Conv', 1],
  ['ConvTranspose', 1],
  ['Gemm', 0],
  ['MatMul', 0],
  ['LSTM', 1],
  ['GRU', 1],
  ['RNN', 1],
  ['BatchNormalization', 1],
  ['LayerNormalization', 1],
  ['Gather', 0],
]);

/**
 * The same computation in float32, or the model itself where it is so already. Numbers are rounded to float32 where they
 * were wider, and no longer to half where they were narrower.
 * @param name name of the model in messages
 * @throws BedsideError E_UNSUPPORTED for computing in bfloat16, which the engine does not
 */
export function inFloat32(model: Model, name: string): Model {
  const elemType = [ELEM.float16, ELEM.bfloat16, ELEM.float64].find((type) => isOfType(model, type));
  if (elemType === undefined || outerSubgraphs(model.graph).length > 0) return model;
  const computes = computesWith(model.graph, elemType);
  if (elemType === ELEM.bfloat16 && computes) {
    throw new BedsideError(
      'E_UNSUPPORTED',
      `${name} computes in bfloat16, which the engine does not on processors`,
      {
        hint: 'export the model in float32 or float16',
      },
    );
  }
  const { types } = inferValues(model, 2);
  const numbers = {
    elemType,
    computes,
    wide: computes ? wideNames(model.graph, types) : [],
    stores: storage(model.graph),
  };
  const result = cloneModel(model);
  const inputs = new Set(formOf(model)?.inputs?.map((input) => input.name));
  convert(result.graph, { elemType, types, inputs });
  return holds(model.graph, elemType) ? withForm(result, { numbers }) : result;
}

/**
 * The same model with outputs of float32 where they had other numbers with fractions, each behind a cast.
 */
export function withFloatOutputs(model: Model): Model {
  const narrow = ({ elemType }: { readonly elemType: number }): boolean =>
    isFloating(elemType) && elemType !== ELEM.float32;
  const { inputs, outputs } = model.graph;
  if (!outputs.some(narrow)) return model;
  const result = cloneModel(model);
  const { graph } = result;
  const names = NameAllocator.of(graph);
  const given = new Set([...inputs.map((value) => value.name), ...graph.constants.keys()]);
  for (const value of graph.outputs.filter(narrow)) {
    // An output that is an input or a constant is no score.
    if (given.has(value.name)) continue;
    const inner = names.fresh(`${value.name}_own`);
    const rename = (name: string): string => (name === value.name ? inner : name);
    for (const node of graph.nodes) {
      node.inputs = node.inputs.map(rename);
      node.outputs = node.outputs.map(rename);
    }
    graph.nodes.push({
      name: names.fresh(`${value.name}_float32`),
      op: 'Cast',
      domain: '',
      inputs: [inner],
      outputs: [value.name],
      attributes: new Map([['to', int(ELEM.float32)]]),
    });
    value.elemType = ELEM.float32;
  }
  const noted = formOf(model)?.outputs ?? outputs.map(({ name, elemType }) => ({ name, elemType }));
  return withForm(result, { outputs: noted });
}

/** Whether anything is stored in a type. */
function holds({ constants, nodes }: Graph, elemType: number): boolean {
  const isStored = [...constants.values()].some((constant) => typeOf(constant) === elemType);
  return isStored || nodes.some((node) => heldConstant(node, elemType));
}

/**
 * Whether a model is one of this type: of half numbers where any is, since nothing else has them; of doubles where weights
 * are, since shapes are often computed with them.
 */
function isOfType({ graph }: Model, elemType: number): boolean {
  const cast = (node: Node): boolean => node.op === 'Cast' && intAttribute(node, 'to', 0) === elemType;
  if (elemType !== ELEM.float64) {
    return (
      [...graph.constants.values()].some((constant) => typeOf(constant) === elemType) ||
      graph.nodes.some((node) => cast(node) || heldConstant(node, elemType))
    );
  }
  return computesWith(graph, elemType);
}

/** Whether a weight of this type is read as it is, by what computes with it. */
function computesWith(graph: Graph, elemType: number): boolean {
  const held = new Set(
    [...graph.constants].flatMap(([name, one]) => (typeOf(one) === elemType ? [name] : [])),
  );
  for (const node of graph.nodes) {
    if (heldConstant(node, elemType) || KEEPS_TYPE.has(node.op)) {
      const isHeld = heldConstant(node, elemType) || held.has(node.inputs[0] ?? '');
      if (isHeld) for (const output of node.outputs) held.add(output);
    }
  }
  return graph.nodes.some((node) => {
    const first = WEIGHTED.get(node.op);
    return first !== undefined && node.inputs.some((name, i) => i >= first && held.has(name));
  });
}

const KEEPS_TYPE: ReadonlySet<string> = new Set(['Identity', 'Transpose', 'Reshape', 'Squeeze', 'Unsqueeze']);

/** Whether a node holds a tensor of a type in its attributes. */
function heldConstant(node: Node, elemType: number): boolean {
  for (const attribute of node.attributes.values()) {
    if (attribute.type === 'tensor' && typeOf(attribute.value) === elemType) return true;
  }
  return false;
}

function typeOf(constant: Constant): number {
  return constant.type === 'other' ? constant.elemType : ELEM[constant.type];
}

/** What the file computes in float32 beside the other type. */
function wideNames({ nodes }: Graph, types: ReadonlyMap<string, number>): FormNumbers['wide'] {
  const isWide = ({ op, outputs }: Node): boolean =>
    op !== 'Cast' && op !== 'Constant' && types.get(outputs[0] ?? '') === ELEM.float32;
  return nodes.flatMap((node) => (isWide(node) ? node.outputs.filter(Boolean) : []));
}

/** Whether no weight of a kind is float32. */
function storage({ nodes, constants }: Graph): FormNumbers['stores'] {
  const ranks = nodes.flatMap((node) => {
    const first = WEIGHTED.get(node.op) ?? Number.POSITIVE_INFINITY;
    return node.inputs.flatMap((name, i) => {
      const constant = i >= first ? constants.get(name) : undefined;
      return constant?.type === 'float32' ? [constant.dims.length] : [];
    });
  });
  return { matrices: ranks.every((rank) => rank < 2), vectors: ranks.every((rank) => rank >= 2) };
}

/** The type that goes, the types of all values before, and the names of the file's inputs. */
interface Conversion {
  readonly elemType: number;
  readonly types: ReadonlyMap<string, number>;
  readonly inputs: ReadonlySet<string>;
}

function convert(graph: Graph, conversion: Conversion): void {
  const { elemType } = conversion;
  for (const [name, constant] of graph.constants) {
    if (typeOf(constant) === elemType) graph.constants.set(name, asFloat32(constant));
  }
  for (const node of graph.nodes) {
    if (node.op === 'Cast' && intAttribute(node, 'to', 0) === elemType) {
      node.attributes.set('to', int(ELEM.float32));
    }
    if (node.attributes.has('dtype') && intAttribute(node, 'dtype', 0) === elemType) {
      node.attributes.set('dtype', int(ELEM.float32));
    }
    for (const [key, attribute] of node.attributes) {
      if (attribute.type !== 'tensor' || typeOf(attribute.value) !== elemType) continue;
      node.attributes.set(key, { type: 'tensor', value: asFloat32(attribute.value) } satisfies Attribute);
    }
  }
  for (const value of [...graph.inputs, ...graph.outputs]) {
    if (value.elemType === elemType) value.elemType = ELEM.float32;
  }
  dropEmptyCasts(graph, conversion);
  if (graph.carried) graph.carried = { ...graph.carried, valueInfo: [] };
}

/** Values outside float32's range become infinite, and are refused as weights that are. */
function asFloat32(constant: Constant): Constant {
  const known = knownOf(constant);
  return known ? floatConstant(Float32Array.from(known.data), constant.dims) : constant;
}

/** Casts between numbers with fractions are none any more; those that make an input or output keep its name. */
function dropEmptyCasts(graph: Graph, { types, inputs }: Conversion): void {
  const pinned = pinnedValues(graph);
  const renamed = new Map<string, string>();
  graph.nodes = graph.nodes.filter((node) => {
    node.inputs = node.inputs.map((name) => renamed.get(name) ?? name);
    const [from = ''] = node.inputs;
    const [to = ''] = node.outputs;
    const isEmpty =
      node.op === 'Cast' &&
      intAttribute(node, 'to', 0) === ELEM.float32 &&
      isFloating(types.get(from) ?? 0) &&
      // An input's own cast is how it is given back.
      !inputs.has(to);
    if (!isEmpty || (pinned.has(to) && (pinned.has(from) || graph.constants.has(from)))) return true;
    if (!pinned.has(to)) {
      renamed.set(to, from);
      return false;
    }
    const maker = graph.nodes.find((other) => other.outputs.includes(from));
    if (!maker) return true;
    maker.outputs = maker.outputs.map((name) => (name === from ? to : name));
    renamed.set(from, to);
    for (const other of graph.nodes) {
      if (other !== node) other.inputs = other.inputs.map((name) => (name === from ? to : name));
    }
    return false;
  });
}
