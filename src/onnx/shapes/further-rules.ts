// Output shapes of pools by norm, normalisations, resizing, repeating and picking.
// Specification: https://onnx.ai/onnx/operators/
import { intAttribute, stringAttribute } from '../ops.ts';
import { NotKnown, type ShapeContext } from './context.ts';
import { resizeScales } from './resize.ts';

/** Resize and Upsample. */
export function resize(context: ShapeContext): number[][] {
  // The size then depends on a region of interest.
  if (stringAttribute(context.node, 'coordinate_transformation_mode', '') === 'tf_crop_and_resize') {
    throw new NotKnown();
  }
  const indexOf = (name: string): number => context.node.inputs.indexOf(name);
  const scales = resizeScales(context.node, context.shape(0), (name) => context.known(indexOf(name)));
  if (!scales) throw new NotKnown();
  return [scales.map(({ size }) => size)];
}

/** SpaceToDepth: blocks of space become channels. */
export function spaceToDepth(context: ShapeContext): number[][] {
  const [batch = 0, channels = 0, height = 0, width = 0] = context.shape(0);
  const block = intAttribute(context.node, 'blocksize', 0);
  if (context.shape(0).length !== 4 || block < 1 || height % block !== 0 || width % block !== 0) {
    throw context.wrong(`blocksize ${block} does not fit [${context.shape(0)}]`);
  }
  return [[batch, channels * block * block, height / block, width / block]];
}

/** Tile: every axis as often as it is repeated. */
export function tile(context: ShapeContext): number[][] {
  const shape = context.shape(0);
  const repeats = context.ints(1, 'repeats');
  if (repeats?.length !== shape.length)
    throw context.wrong(`repeats [${repeats ?? ''}] do not fit [${shape}]`);
  return [shape.map((size, axis) => size * (repeats[axis] as number))];
}

/** ArgMax and ArgMin: one position along an axis. */
export function argument(context: ShapeContext): number[][] {
  const shape = context.shape(0);
  const axis = context.axis(intAttribute(context.node, 'axis', 0), shape.length);
  if (intAttribute(context.node, 'keepdims', 1)) return [shape.map((size, i) => (i === axis ? 1 : size))];
  return [shape.filter((_, i) => i !== axis)];
}

/** Range: as many numbers as fit. */
export function range(context: ShapeContext): number[][] {
  const [start = 0, limit = 0, delta = 1] = [0, 1, 2].map((index) => context.known(index).data[0]);
  if (delta === 0) throw context.wrong('its step is 0');
  return [[Math.max(0, Math.ceil((limit - start) / delta))]];
}
