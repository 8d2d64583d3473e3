// Encodes a model message. The bulk, raw tensor data, is copied once, straight to its place: the general encoder
// grows and moves its buffer several times.
// Wire format: https://protobuf.dev/programming-guides/encoding/
import { toBinary } from '@bufbuild/protobuf';
import { BedsideError, messageOf } from '../../util/index.ts';
import {
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from './onnx_pb.ts';

/** Protobuf's own limit on one message. */
export const MAX_BYTES = 2 ** 31 - 1;

/**
 * The bytes of a model message.
 * @throws BedsideError E_OUTPUT when it would be larger than protobuf's 2 GiB
 */
export function encodeModel(model: ModelProto): Uint8Array {
  try {
    const parts = encodeParts(model);
    const total = lengthOf(parts);
    if (total > MAX_BYTES) throw tooLarge(total);
    const bytes = new Uint8Array(total);
    let offset = 0;
    for (const part of parts) {
      bytes.set(part, offset);
      offset += part.length;
    }
    return bytes;
  } catch (cause) {
    if (BedsideError.is(cause)) throw cause;
    throw new BedsideError('E_INTERNAL', `internal: the model cannot be encoded: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** Fields may stand in any order, so the large ones are appended to an encoding of all others. */
function encodeParts(model: ModelProto): Uint8Array[] {
  const { graph, ...rest } = model;
  const parts: Uint8Array[] = [toBinary(ModelProtoSchema, rest)];
  if (!graph) return parts;
  const graphParts: Uint8Array[] = [toBinary(GraphProtoSchema, { ...graph, initializer: [] })];
  for (const tensor of graph.initializer) {
    graphParts.push(...delimited(GraphProtoSchema.field.initializer.number, encodeTensor(tensor)));
  }
  return [...parts, ...delimited(ModelProtoSchema.field.graph.number, graphParts)];
}

function encodeTensor(tensor: TensorProto): Uint8Array[] {
  const { rawData, ...rest } = tensor;
  const head = toBinary(TensorProtoSchema, rest);
  return rawData === undefined
    ? [head]
    : [head, ...delimited(TensorProtoSchema.field.rawData.number, [rawData])];
}

function delimited(field: number, content: readonly Uint8Array[]): Uint8Array[] {
  return [Uint8Array.from([...varint(field * 8 + 2), ...varint(lengthOf(content))]), ...content];
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return bytes;
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

function tooLarge(bytes: number): BedsideError {
  return new BedsideError('E_OUTPUT', `the model takes ${bytes} bytes: one file holds at most ${MAX_BYTES}`, {
    hint: 'save it with external data',
  });
}
