// Positions in row-major arrays, for reference code that loops over them one by one.
import { sizeOf } from '../../onnx/internal.ts';

/** A dense row-major array in double precision. */
export interface Doubles {
  readonly dims: readonly number[];
  readonly data: Float64Array;
}

export function zeros(dims: readonly number[]): Doubles {
  return { dims, data: new Float64Array(sizeOf(dims)) };
}

/** Every position of an array of these dims, last axis fastest. */
export function positions(dims: readonly number[]): number[][] {
  return Array.from({ length: sizeOf(dims) }, (_, flat) => positionOf(flat, dims));
}

/** The position of a flat index. */
export function positionOf(flat: number, dims: readonly number[]): number[] {
  const position = new Array<number>(dims.length).fill(0);
  let rest = flat;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    const size = dims[axis] as number;
    position[axis] = rest % size;
    rest = Math.floor(rest / size);
  }
  return position;
}

/** The flat index of a position, or -1 outside of the array. */
export function flatOf(position: readonly number[], dims: readonly number[]): number {
  let flat = 0;
  for (let axis = 0; axis < dims.length; axis++) {
    const at = position[axis] as number;
    const size = dims[axis] as number;
    if (at < 0 || at >= size) return -1;
    flat = flat * size + at;
  }
  return flat;
}

/** Where an operand broadcast to a larger shape is read: size-1 axes stay at 0, missing leading axes are dropped. */
export function broadcastPosition(position: readonly number[], dims: readonly number[]): number[] {
  const lead = position.length - dims.length;
  return dims.map((size, axis) => (size === 1 ? 0 : (position[axis + lead] as number)));
}

/** The shape two operands broadcast to. */
export function broadcastDims(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) =>
    Math.max(a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1),
  );
}
