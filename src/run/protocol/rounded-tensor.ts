// Tensors as eight-bit integers, for the way between devices.
import { type FloatTensor, tensor } from '../../engine/index.ts';
import { fromUint8, toUint8, type ValueScale } from '../../util/internal.ts';

/** A tensor on its way: a number is `(integer - zero) * scale`. */
export interface RoundedTensor extends ValueScale {
  readonly type: 'uint8';
  readonly dims: readonly number[];
  readonly data: Uint8Array;
}

/** A tensor as a device gets it. */
export type Arrived = FloatTensor | RoundedTensor;

/** A tensor as its nearest integers. */
export function roundTensor({ data, dims }: FloatTensor, { scale, zero }: ValueScale): RoundedTensor {
  return { type: 'uint8', dims, data: toUint8(data, { scale, zero }), scale, zero };
}

/** The numbers that the integers mean, in float32. */
export function floatsOf(given: Arrived): FloatTensor {
  return given.type === 'float32' ? given : tensor(fromUint8(given.data, given), given.dims);
}
