// Functions that call functions: as deep and as many as an engine can take, never in a circle. (How deep subgraphs
// stand inside each other the protobuf reader bounds.)
import { BedsideError } from '../../util/index.ts';
import { graphsOf } from '../subgraphs.ts';
import type { FunctionProto, GraphProto, ModelProto, NodeProto } from './onnx_pb.ts';

/** Functions that call each other in a chain. */
const MAX_DEPTH = 32;
/** Nodes of all functions together when every call is replaced by what it calls, as engines do. */
const MAX_EXPANDED = 1_000_000;

/**
 * Refuses functions that would overflow somebody's stack or memory.
 * @throws BedsideError E_MODEL for functions that call themselves, E_UNSUPPORTED for what is too deep or too large
 */
export function assertNesting(model: ModelProto, name: string): void {
  if (model.functions.length > 0) assertCalls(model, name);
}

function graphsIn(nodes: readonly NodeProto[]): GraphProto[] {
  const found: GraphProto[] = [];
  for (const node of nodes) for (const graph of graphsOf(node.attribute)) found.push(graph);
  return found;
}

/** Every node of a function, those in its subgraphs too. */
function nodesOf(fn: FunctionProto): NodeProto[] {
  const nodes = [...fn.node];
  const waiting = graphsIn(fn.node);
  for (let graph = waiting.pop(); graph; graph = waiting.pop()) {
    for (const node of graph.node) nodes.push(node);
    for (const inner of graphsIn(graph.node)) waiting.push(inner);
  }
  return nodes;
}

const keyOf = (domain: string | undefined, name: string | undefined): string =>
  JSON.stringify([domain === 'ai.onnx' ? '' : (domain ?? ''), name ?? '']);

/** Functions are taken off from those that call none on; what is never free calls itself. */
function assertCalls(model: ModelProto, name: string): void {
  const functions = new Map(model.functions.map((fn) => [keyOf(fn.domain, fn.name), fn]));
  const calls = new Map<string, string[]>();
  const callers = new Map<string, string[]>();
  const sizes = new Map<string, { size: number; depth: number }>();
  for (const [key, fn] of functions) {
    const called: string[] = [];
    const nodes = nodesOf(fn);
    for (const { domain, opType } of nodes) {
      const other = keyOf(domain, opType);
      if (functions.has(other)) called.push(other);
    }
    calls.set(key, called);
    sizes.set(key, { size: nodes.length, depth: 1 });
    for (const other of new Set(called)) {
      const list = callers.get(other);
      if (list) list.push(key);
      else callers.set(other, [key]);
    }
  }
  const open = new Map([...calls].map(([key, called]) => [key, new Set(called).size]));
  const free = [...open].filter(([, count]) => count === 0).map(([key]) => key);
  for (let key = free.pop(); key !== undefined; key = free.pop()) {
    open.delete(key);
    const own = sizes.get(key);
    for (const other of own ? (calls.get(key) ?? []) : []) {
      const inner = sizes.get(other);
      if (!own || !inner) continue;
      own.size += inner.size;
      own.depth = Math.max(own.depth, inner.depth + 1);
    }
    if (own && (own.depth > MAX_DEPTH || own.size > MAX_EXPANDED)) {
      throw tooMuch(
        `${name}: function '${functions.get(key)?.name ?? ''}' calls functions ${own.depth} deep, ${own.size} nodes in all`,
      );
    }
    for (const caller of callers.get(key) ?? []) {
      const left = (open.get(caller) ?? 0) - 1;
      open.set(caller, left);
      if (left === 0) free.push(caller);
    }
  }
  const [circular] = open.keys();
  if (circular === undefined) return;
  throw new BedsideError(
    'E_MODEL',
    `${name}: function '${functions.get(circular)?.name ?? ''}' calls itself, directly or through others`,
    {
      hint: 'functions of a model may not be recursive; export the model again',
    },
  );
}

function tooMuch(message: string): BedsideError {
  return new BedsideError('E_UNSUPPORTED', message, {
    hint: 'no engine takes that; export the model without functions inside each other',
  });
}
