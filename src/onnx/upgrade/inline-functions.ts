// Functions that a model brings along (FunctionProto) are written out where they are called, so that every table of
// operators sees what they are made of. Specification: https://onnx.ai/onnx/repo-docs/IR.html#functions
import { create } from '@bufbuild/protobuf';
import { type FunctionProto, type NodeProto, NodeProtoSchema } from '../codec/onnx_pb.ts';
import { readNode } from '../codec/read.ts';
import { type Attribute, cloneModel, type Model, type Node } from '../graph.ts';
import { NameAllocator } from '../names.ts';
import { CHANGES } from './table.ts';

/** Calls in calls; deeper ones stay as they are. */
const MOST_NESTED = 64;

/** Standard operators whose form changed after operator set 16, and the set that changed it. */
const LATER_CHANGES: ReadonlyMap<string, number> = new Map([
  ['GroupNormalization', 21],
  ['ReduceL1', 18],
  ['ReduceL2', 18],
  ['ReduceLogSum', 18],
  ['ReduceLogSumExp', 18],
  ['ReduceMax', 18],
  ['ReduceMean', 18],
  ['ReduceMin', 18],
  ['ReduceProd', 18],
  ['ReduceSumSquare', 18],
  ['Split', 18],
]);

/**
 * The same model with its functions written out, nested ones too. A call stays where its function holds branches or
 * loops, or is written in another operator set in which one of its operators has another form.
 */
export function withoutFunctions(model: Model): Model {
  const functions = new Map(
    (model.carried?.functions ?? []).map((one) => [keyOf(one.domain, one.name), one]),
  );
  if (functions.size === 0) return model;
  const result = cloneModel(model);
  const { graph } = result;
  const scope: Scope = { functions, opsets: result.opsets, names: NameAllocator.of(graph) };
  graph.nodes = graph.nodes.flatMap((node) => expanded(scope, node, 0));
  const called = graph.nodes.some((node) => functions.has(keyOf(node.domain, node.op)) || hasGraph(node));
  if (result.carried && !called) result.carried = { ...result.carried, functions: [] };
  return result;
}

interface Scope {
  readonly functions: ReadonlyMap<string, FunctionProto>;
  /** Of the model; sets that functions import are added. */
  readonly opsets: Map<string, number>;
  readonly names: NameAllocator;
}

function keyOf(domain = '', name = ''): string {
  return `${domain}:${name}`;
}

function hasGraph(node: Node): boolean {
  return [...node.attributes.values()].some(
    (attribute) => attribute.type === 'other' && (attribute.carried.g || attribute.carried.graphs.length > 0),
  );
}

/** The nodes that a call stands for; the node itself where it is no call, or one that stays. */
function expanded(scope: Scope, call: Node, depth: number): Node[] {
  const definition = scope.functions.get(keyOf(call.domain, call.op));
  if (!definition || depth > MOST_NESTED || !fits(scope, definition)) return [call];
  const body = definition.node.map((proto) => readNode(copyOf(proto), `function ${call.op}`));
  if (body.some(hasGraph)) return [call];
  for (const { domain = '', version = 0n } of definition.opsetImport) {
    if (!scope.opsets.has(domain)) scope.opsets.set(domain, Number(version));
  }
  const values = new Map<string, string>([['', '']]);
  for (const [i, name] of definition.input.entries()) values.set(name, call.inputs[i] ?? '');
  for (const [i, name] of definition.output.entries()) {
    values.set(name, call.outputs[i] || scope.names.fresh(name));
  }
  const renamed = (name: string): string => {
    const known = values.get(name);
    if (known !== undefined) return known;
    const fresh = scope.names.fresh(`${call.name || call.op}_${name}`);
    values.set(name, fresh);
    return fresh;
  };
  const given = attributesOf(definition, call);
  const nodes = body.map(
    (node): Node => ({
      ...node,
      name: node.name ? scope.names.fresh(`${call.name || call.op}/${node.name}`) : '',
      inputs: node.inputs.map(renamed),
      outputs: node.outputs.map(renamed),
      attributes: resolved(node, given),
    }),
  );
  return passedThrough(definition, call, values)
    .concat(nodes)
    .flatMap((node) => expanded(scope, node, depth + 1));
}

/** An output of a function that is one of its inputs as it is. */
function passedThrough(definition: FunctionProto, call: Node, values: Map<string, string>): Node[] {
  return definition.output.flatMap((name, i): Node[] => {
    const at = definition.input.indexOf(name);
    const output = call.outputs[i];
    if (at < 0) return [];
    values.set(name, call.inputs[at] ?? '');
    if (!output) return [];
    const inputs = [call.inputs[at] ?? ''];
    return [{ name: '', op: 'Identity', domain: '', inputs, outputs: [output], attributes: new Map() }];
  });
}

/** The attributes of a call, and the defaults of those that it leaves out. */
function attributesOf(definition: FunctionProto, call: Node): Map<string, Attribute> {
  const holder = create(NodeProtoSchema, { opType: 'Identity', input: ['x'], output: ['y'] });
  const defaults = readNode(
    copyOf({ ...holder, attribute: definition.attributeProto }),
    'defaults',
  ).attributes;
  return new Map([...defaults, ...call.attributes]);
}

/** Attributes that refer to one of the call get its value, or go where the call has none. */
function resolved(node: Node, given: ReadonlyMap<string, Attribute>): Map<string, Attribute> {
  const attributes = new Map<string, Attribute>();
  for (const [name, attribute] of node.attributes) {
    const reference = attribute.type === 'other' ? attribute.carried.refAttrName : undefined;
    const value = reference ? given.get(reference) : attribute;
    if (value) attributes.set(name, value);
  }
  return attributes;
}

/** Whether the function's operators mean the same in the operator sets of the model. */
function fits(scope: Scope, definition: FunctionProto): boolean {
  const imported = new Map(
    definition.opsetImport.map(({ domain = '', version = 0n }) => [domain, Number(version)]),
  );
  return definition.node.every(({ opType = '', domain = '' }) => {
    const [own, model] = [imported.get(domain), scope.opsets.get(domain)];
    if (own === undefined || model === undefined || own === model) return true;
    if (domain !== '') return scope.functions.has(keyOf(domain, opType));
    const [low, high] = [Math.min(own, model), Math.max(own, model)];
    const changes = [...(CHANGES[opType]?.changedIn ?? []), LATER_CHANGES.get(opType) ?? 0];
    return !changes.some((set) => low < set && set <= high);
  });
}

/** Reading consumes a message and its tensors, so it is given copies. */
function copyOf(proto: NodeProto): NodeProto {
  const attribute = proto.attribute.map((entry) =>
    entry.t ? { ...entry, t: { ...entry.t } } : { ...entry },
  );
  return { ...proto, attribute, input: [...proto.input], output: [...proto.output] };
}
