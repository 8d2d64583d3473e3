// Products of two computed values: which channels they multiply apart, sum over, or hand on. And the reshapes before
// them that split channels into the heads of attention.
import { intAttribute, intsAttribute, intsParameter, type Node, opOf } from '../onnx/internal.ts';
import { normalAxis } from './parameters.ts';
import type { ChannelRule, Propagation } from './propagation.ts';
import { mapThroughReshape } from './reshape.ts';

/**
 * MatMul of two computed values. Channels on an axis before the last two (heads) stay apart, so both factors lose the
 * same ones; channels that are summed over go in pairs; those of rows or columns go on.
 */
export const product: ChannelRule = (walk, node) => {
  const [a, b] = node.inputs as [string, string];
  const [left, right] = [walk.label(a), walk.label(b)];
  if (!left && !right) return;
  const [from, to] = [walk.shape(a), walk.shape(b)];
  if (!from || !to || from.length < 2 || to.length < 2) {
    return walk.freezeInputs(node, 'multiplies two computed values of unknown shape');
  }
  const rank = Math.max(from.length, to.length);
  const row = left && left.axis + rank - from.length;
  const column = right && right.axis + rank - to.length;
  if (row === rank - 1 || column === rank - 2) {
    if (!left || !right || row !== rank - 1 || column !== rank - 2 || left.ids.length !== right.ids.length) {
      return walk.freezeInputs(node, 'sums over them with a value that cannot be cut');
    }
    walk.variables.uniteAll(left.ids, right.ids);
    return;
  }
  if (left && right) {
    if (row !== column || left.ids.length !== right.ids.length) {
      return walk.freezeInputs(node, 'multiplies two computed values with channels on different axes');
    }
    walk.variables.uniteAll(left.ids, right.ids);
  } else {
    // The other factor is the same for all of these channels, or it would have to lose some too.
    const axis = (row ?? column) as number;
    const other = left ? to : from;
    const size = other[axis - rank + other.length] ?? 1;
    if (axis < rank - 2 && size !== 1) {
      return walk.freezeInputs(node, 'multiplies them with a value that cannot be cut');
    }
  }
  const ids = (left ?? right)?.ids as Int32Array;
  walk.set(node.outputs[0], { axis: (row ?? column) as number, ids });
};

/** Whether a node multiplies two values that are both computed. */
export function isProduct(walk: Pick<Propagation, 'constant'>, node: Node): boolean {
  return opOf(node) === 'MatMul' && node.inputs.every((name) => !walk.constant(name));
}

/**
 * The axis of heads, if a reshape splits the channels `axis` of `from` into axes of which one is later an axis before
 * the last two of a product of computed values, and another one of the last two. Undefined for any other reshape.
 */
export function headsThroughReshape(
  walk: Propagation,
  value: string,
  from: readonly number[],
  axis: number,
  to: readonly number[],
): number | undefined {
  const run = runOfAxis(from, axis, to);
  if (!run) return undefined;
  const roles = run.map((at) => roleOf(walk, value, at, STEPS));
  const heads = run.filter((_, i) => roles[i] === 'apart');
  return heads.length === 1 && roles.includes('inside') ? heads[0] : undefined;
}

/** The index on the axis of heads for each old position. */
export function headOf(
  from: readonly number[],
  axis: number,
  to: readonly number[],
  heads: number,
): Int32Array {
  const size = from[axis] as number;
  const stride = from.slice(axis + 1).reduce((product, width) => product * width, 1);
  const behind = to.slice(heads + 1).reduce((product, width) => product * width, 1) / stride;
  return Int32Array.from({ length: size }, (_, at) => Math.floor(at / behind) % (to[heads] as number));
}

/** The new axes (of more than one position) that together are the old axis. */
function runOfAxis(
  from: readonly number[],
  axis: number,
  to: readonly number[],
): readonly number[] | undefined {
  const stride = from.slice(axis + 1).reduce((product, width) => product * width, 1);
  const found: number[] = [];
  let behind = 1;
  let size = 1;
  for (let at = to.length - 1; at >= 0 && size < (from[axis] as number); at--) {
    const width = to[at] as number;
    if (behind >= stride && width > 1) {
      found.unshift(at);
      size *= width;
    }
    behind *= width;
  }
  return size === from[axis] && behind === stride * size && found.length > 1 ? found : undefined;
}

/** How many nodes a value is followed through to a product. */
const STEPS = 12;

/** Whether an axis stays apart in the first product that the value reaches, or lies inside the matrices. */
function roleOf(
  walk: Propagation,
  value: string,
  axis: number,
  steps: number,
): 'apart' | 'inside' | undefined {
  if (steps === 0) return undefined;
  for (const reader of walk.readersOf(value)) {
    if (isProduct(walk, reader)) {
      const rank = walk.shape(value)?.length ?? 0;
      return axis < rank - 2 ? 'apart' : 'inside';
    }
    const next = axisBehind(walk, reader, value, axis);
    if (next === undefined) continue;
    for (const output of reader.outputs) {
      const role = output ? roleOf(walk, output, next, steps - 1) : undefined;
      if (role) return role;
    }
  }
  return undefined;
}

/** Where an axis of what a node reads lies in what it gives; undefined where it is gone or the node is no move. */
function axisBehind(walk: Propagation, node: Node, value: string, axis: number): number | undefined {
  const [from, to] = [walk.shape(value), walk.shape(node.outputs[0])];
  if (!from || !to) return undefined;
  switch (opOf(node)) {
    case 'Transpose': {
      const order = intsAttribute(node, 'perm') ?? from.map((_, at) => from.length - 1 - at);
      return order.indexOf(axis);
    }
    case 'Split':
      return normalAxis(intAttribute(node, 'axis', 0), from.length) === axis ? undefined : axis;
    case 'Slice':
      return from[axis] === to[axis] ? axis : undefined;
    case 'Gather': {
      const at = normalAxis(intAttribute(node, 'axis', 0), from.length);
      const added = (walk.shape(node.inputs[1])?.length ?? 1) - 1;
      return at === axis ? undefined : at < axis ? axis + added : axis;
    }
    case 'Unsqueeze':
    case 'Squeeze':
    case 'Reshape':
      return movedAxis(walk, node, from, axis, to);
    case 'Add':
    case 'Sub':
    case 'Mul':
    case 'Div':
      return axis + to.length - from.length;
    case 'Identity':
    case 'Cast':
    case 'Softmax':
    case 'LayerNormalization':
      return axis;
    default:
      return undefined;
  }
}

function movedAxis(
  walk: Propagation,
  node: Node,
  from: readonly number[],
  axis: number,
  to: readonly number[],
): number | undefined {
  const target = node.inputs[1];
  if (target && !walk.constant(target)) return undefined;
  if (opOf(node) !== 'Reshape') {
    const wide = Math.max(from.length, to.length);
    const axes = intsParameter(walk.graph, node, 1, 'axes')?.map((at) => normalAxis(at, wide)) ?? [];
    const left = Array.from({ length: wide }, (_, at) => at).filter((at) => !axes.includes(at));
    return opOf(node) === 'Squeeze' ? left.indexOf(axis) : left[axis];
  }
  const mapped = mapThroughReshape(from, axis, to);
  return mapped && to[mapped.axis] === from[axis] ? mapped.axis : undefined;
}
