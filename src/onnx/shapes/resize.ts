// Resize (Upsample in old operator sets): output sizes, and what each axis does as a linear map. Interpolation is
// separable, so one matrix an axis says all. Specification: https://onnx.ai/onnx/operators/onnx__Resize.html
import type { Graph, Node } from '../graph.ts';
import { floatAttribute, intAttribute, intsAttribute, opOf, stringAttribute } from '../ops.ts';
import { integersOf, type Known, knownOf } from './known.ts';

/** Reads a constant or known value; undefined where it is computed. */
type Read = (name: string) => Known | undefined;

/** For each axis, the factor by which it grows and its output size; undefined where they are computed at run time. */
export function resizeScales(
  node: Node,
  shape: readonly number[],
  read: Read,
): { readonly scale: number; readonly size: number }[] | undefined {
  const axes = intsAttribute(node, 'axes')?.map((axis) => (axis < 0 ? axis + shape.length : axis));
  const spread = (list: readonly number[], neutral: (axis: number) => number): number[] =>
    shape.map((_, axis) => {
      const at = axes ? axes.indexOf(axis) : axis;
      return at < 0 ? neutral(axis) : (list[at] as number);
    });
  const sizes = node.inputs[3];
  if (sizes) {
    if (stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch') !== 'stretch') return undefined;
    const known = read(sizes);
    if (!known) return undefined;
    // In sets 11 and 12 an empty tensor stands for no sizes.
    if (known.data.length > 0)
      return spread(Array.from(known.data), (axis) => shape[axis] as number).map((size, axis) => ({
        size,
        scale: Math.fround(size / (shape[axis] as number)),
      }));
  }
  const scales = scalesOf(node, read);
  if (!scales || scales.length !== (axes ?? shape).length) return undefined;
  return spread(scales, () => 1).map((scale, axis) => ({
    scale,
    size: Math.floor(Math.fround(scale * (shape[axis] as number))),
  }));
}

function scalesOf(node: Node, read: Read): readonly number[] | undefined {
  const attribute = node.attributes.get('scales');
  if (attribute?.type === 'floats') return attribute.value.map(Math.fround);
  // Set 10 has no region of interest before the scales.
  const name = node.inputs.length > 2 ? node.inputs[2] : node.inputs[1];
  const known = name ? read(name) : undefined;
  return known && known.data.length > 0 ? Array.from(known.data) : undefined;
}

/** Whether a Resize's output size depends on a constant alone, and not on what is read as it runs. */
export function hasConstantSize({ constants }: Graph, node: Node): boolean {
  if (node.attributes.has('scales')) return true;
  if (node.inputs[3]) return integersOf(constants.get(node.inputs[3])) !== undefined;
  return constants.has(node.inputs.length > 2 ? (node.inputs[2] ?? '') : (node.inputs[1] ?? ''));
}

/** One axis: for each output position, the input positions that it takes, with their weights. */
export type AxisMap = readonly (readonly { readonly from: number; readonly weight: number }[])[];

/**
 * What a Resize does on each axis; undefined for axes that stay as they are, and as a whole where it is not separable,
 * depends on a region of interest, or smooths before it shrinks (`antialias`).
 */
export function resizeMaps(
  graph: Graph,
  node: Node,
  shape: readonly number[],
): (AxisMap | undefined)[] | undefined {
  const read: Read = (name) => {
    const constant = graph.constants.get(name);
    return constant && knownOf(constant);
  };
  const scales = opOf(node) === 'Resize' ? resizeScales(node, shape, read) : undefined;
  const mode = stringAttribute(node, 'mode', 'nearest');
  const coordinate = COORDINATES[stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel')];
  if (!scales || !coordinate || intAttribute(node, 'antialias', 0) !== 0) return undefined;
  if (mode !== 'nearest' && mode !== 'linear' && mode !== 'cubic') return undefined;
  return scales.map(({ scale, size }, axis) => {
    const from = shape[axis] as number;
    if (scale === 1 && size === from) return undefined;
    return Array.from({ length: size }, (_, x) => {
      const at = coordinate({ x, scale, size, from });
      if (mode === 'nearest') return [{ from: nearest(node, at, from), weight: 1 }];
      return mode === 'linear' ? linear(at, from) : cubic(node, at, from);
    });
  });
}

interface Position {
  /** Output position, and sizes of the output and the input. */
  readonly x: number;
  readonly size: number;
  readonly from: number;
  readonly scale: number;
}

const round = Math.fround;
const halfPixel = ({ x, scale }: Position): number => round(round(round(x + 0.5) / scale) - 0.5);

/** Where an output position lies on the input, in float32 as the engine computes it. */
const COORDINATES: Readonly<Record<string, (position: Position) => number>> = {
  half_pixel: halfPixel,
  pytorch_half_pixel: (position) => (position.size > 1 ? halfPixel(position) : 0),
  asymmetric: ({ x, scale }) => round(x / scale),
  align_corners: ({ x, size, from }) => (size === 1 ? 0 : round(round(x * (from - 1)) / (size - 1))),
  tf_half_pixel_for_nn: ({ x, scale }) => round(round(x + 0.5) / scale),
  half_pixel_symmetric: (position) => {
    const { size, from, scale } = position;
    const adjusted = round(size / round(scale * from));
    return round(round((from / 2) * round(1 - adjusted)) + halfPixel(position));
  },
};

function within(index: number, size: number): number {
  return Math.min(Math.max(index, 0), size - 1);
}

function nearest(node: Node, at: number, size: number): number {
  const down = Math.floor(at);
  switch (stringAttribute(node, 'nearest_mode', 'round_prefer_floor')) {
    case 'floor':
      return within(down, size);
    case 'ceil':
      return within(Math.ceil(at), size);
    case 'round_prefer_ceil':
      return within(Math.floor(at + 0.5), size);
    default:
      return within(at - down === 0.5 ? down : Math.round(at), size);
  }
}

function linear(at: number, size: number): { from: number; weight: number }[] {
  const place = within(at, size);
  const low = Math.floor(place);
  const part = place - low;
  return part === 0
    ? [{ from: low, weight: 1 }]
    : [
        { from: low, weight: 1 - part },
        { from: low + 1, weight: part },
      ];
}

/** Keys' cubic convolution over four neighbours; those outside repeat the edge, or are left out. */
function cubic(node: Node, at: number, size: number): { from: number; weight: number }[] {
  const a = floatAttribute(node, 'cubic_coeff_a', -0.75);
  const low = Math.floor(at);
  const kernel = (distance: number): number => {
    const d = Math.abs(distance);
    return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  };
  const terms = [-1, 0, 1, 2].map((step) => ({ from: low + step, weight: kernel(at - low - step) }));
  if (intAttribute(node, 'exclude_outside', 0) === 0)
    return terms.map(({ from, weight }) => ({ from: within(from, size), weight }));
  const inside = terms.filter(({ from }) => from >= 0 && from < size);
  const total = inside.reduce((sum, { weight }) => sum + weight, 0);
  return inside.map(({ from, weight }) => ({ from, weight: weight / total }));
}
