// Float64 constants, which the typed graph otherwise only carries through.
import { create } from '@bufbuild/protobuf';
import { type Constant, ELEM, sizeOf } from './graph.ts';
import { TensorProtoSchema } from './onnx_pb.ts';

/** A float64 constant of the given shape. */
export function float64Constant(data: ArrayLike<number>, dims: readonly number[]): Constant {
  const values = Float64Array.from({ length: sizeOf(dims) }, (_, i) => data[i] as number);
  const carried = create(TensorProtoSchema, {
    dims: dims.map(BigInt),
    dataType: ELEM.float64,
    rawData: new Uint8Array(values.buffer),
  });
  return { type: 'other', elemType: ELEM.float64, dims, carried };
}
