// Tensors as eight-bit integers, for the way between devices: a number is `(integer - zero) * scale`.
import { type FloatTensor, tensor } from '../../engine/index.ts';

/** A tensor on its way. */
export interface RoundedTensor {
  readonly type: 'uint8';
  readonly dims: readonly number[];
  readonly data: Uint8Array;
  readonly scale: number;
  readonly zero: number;
}

/** What the integers of a tensor mean. */
export type TensorScale = Pick<RoundedTensor, 'scale' | 'zero'>;

const MOST = 255;

/** Rounds to the nearest integer, halves to the even one, as ONNX's QuantizeLinear does. */
export function roundTensor({ data, dims }: FloatTensor, { scale, zero }: TensorScale): RoundedTensor {
  const rounded = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const steps = Math.fround((data[i] as number) / scale);
    let whole = Math.round(steps);
    if (whole - steps === 0.5 && whole % 2 !== 0) whole--;
    whole += zero;
    rounded[i] = Math.min(Math.max(whole, 0), MOST);
  }
  return { type: 'uint8', dims, data: rounded, scale, zero };
}

/** The numbers that the integers mean, in float32. */
export function floatsOf(given: FloatTensor | RoundedTensor): FloatTensor {
  if (given.type === 'float32') return given;
  const { dims, scale, zero } = given;
  const means = Float32Array.from({ length: MOST + 1 }, (_, whole) => (whole - zero) * scale);
  const data = new Float32Array(given.data.length);
  for (let i = 0; i < data.length; i++) data[i] = means[given.data[i] as number] as number;
  return tensor(data, dims);
}
