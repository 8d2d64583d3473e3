// Follows one axis through a change of shape that keeps the elements in order.
import { sizeOf } from '../onnx/internal.ts';

/** The axis after reshaping, and which position of the old axis each of its positions holds. */
export interface MappedAxis {
  readonly axis: number;
  readonly source: Int32Array;
}

/**
 * The axis to which `axis` (of more than one position) moves when a tensor of shape `from` is read as shape `to`;
 * undefined when it is spread over several axes. An element at flat index f has position floor(f / inner) mod size on
 * the axis. This depends on one new axis alone when the elements inside the new axis divide those inside the old one,
 * and the new axis holds whole runs of the old: merging [C, H, W] into C*H*W repeats each channel H*W times.
 */
export function mapThroughReshape(
  from: readonly number[],
  axis: number,
  to: readonly number[],
): MappedAxis | undefined {
  const size = from[axis] ?? 1;
  const inner = sizeOf(from.slice(axis + 1));
  for (let next = 0; next < to.length; next++) {
    const width = to[next] as number;
    const repeat = inner / sizeOf(to.slice(next + 1));
    if (!Number.isInteger(repeat) || repeat < 1 || width % (size * repeat) !== 0) continue;
    return {
      axis: next,
      source: Int32Array.from({ length: width }, (_, i) => Math.floor(i / repeat) % size),
    };
  }
  return undefined;
}

/**
 * The new axis that holds the inner part of `axis` when reshaping splits it into [outer, inner]; undefined when no axis
 * holds just that part. Its position i holds every old position p with p mod inner = i (as in a channel shuffle).
 */
export function innerPartThroughReshape(
  from: readonly number[],
  axis: number,
  to: readonly number[],
): { readonly axis: number; readonly inner: number } | undefined {
  const size = from[axis] ?? 1;
  const stride = sizeOf(from.slice(axis + 1));
  const found = to.findIndex(
    (inner, i) => inner > 1 && size % inner === 0 && sizeOf(to.slice(i + 1)) === stride,
  );
  return found < 0 ? undefined : { axis: found, inner: to[found] as number };
}

/**
 * The new axis that holds the outer part of `axis` when reshaping splits it into [outer, inner, ...], where the inner
 * part may be merged with what follows; undefined when no axis holds just that part. Its position i holds the old
 * positions from i * width on (as in a group normalisation).
 */
export function outerPartThroughReshape(
  from: readonly number[],
  axis: number,
  to: readonly number[],
): { readonly axis: number; readonly width: number } | undefined {
  const size = from[axis] ?? 1;
  const whole = size * sizeOf(from.slice(axis + 1));
  const found = to.findIndex((outer, i) => outer > 1 && size % outer === 0 && sizeOf(to.slice(i)) === whole);
  return found < 0 ? undefined : { axis: found, width: size / (to[found] as number) };
}
