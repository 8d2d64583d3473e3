// AttributeProto -> Attribute. An attribute that is more than one plain value of its type is carried whole.
import { isFieldSet } from '@bufbuild/protobuf';
import type { Attribute } from '../graph.ts';
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as Type,
} from './onnx_pb.ts';
import { unlessEmpty } from './proto.ts';
import { readTensor } from './tensor-read.ts';

/** A decoded attribute, and what of its message is not in it (a doc string, unknown fields). */
export interface ReadAttribute {
  readonly attribute: Attribute;
  readonly rest: AttributeProto | undefined;
}

/**
 * Decodes an attribute.
 * @throws BedsideError E_MODEL when it holds a malformed tensor
 */
export function readAttribute(proto: AttributeProto, where: string): ReadAttribute {
  const attribute = decode(proto, where);
  if (!attribute) return { attribute: { type: 'other', carried: proto }, rest: undefined };
  const rest: AttributeProto = { ...proto, floats: [], ints: [] };
  for (const field of ['name', 'type', 'i', 'f', 's', 't'] as const) delete rest[field];
  return { attribute, rest: withName(unlessEmpty(AttributeProtoSchema, rest), proto.name) };
}

function withName(rest: AttributeProto | undefined, name: string | undefined): AttributeProto | undefined {
  if (rest && name !== undefined) rest.name = name;
  return rest;
}

const VALUE_FIELDS = [
  'f',
  'i',
  's',
  't',
  'g',
  'floats',
  'ints',
  'strings',
  'tensors',
  'graphs',
  'tp',
  'typeProtos',
];
const FIELDS = AttributeProtoSchema.fields.filter((field) =>
  [...VALUE_FIELDS, 'sparseTensor', 'sparseTensors'].includes(field.localName),
);

function decode(proto: AttributeProto, where: string): Attribute | undefined {
  if (proto.refAttrName !== undefined) return undefined;
  const present = FIELDS.filter((field) => isFieldSet(proto, field)).map((field) => field.localName);
  if (present.length > 1) return undefined;
  const only = present[0];
  const is = (type: Type, field: string): boolean =>
    (proto.type === type && (only === undefined || only === field)) || (!proto.type && only === field); // files older than IR 3 leave the type out
  if (is(Type.INT, 'i')) return { type: 'int', value: proto.i ?? 0n };
  if (is(Type.FLOAT, 'f')) return { type: 'float', value: proto.f ?? 0 };
  if (is(Type.INTS, 'ints')) return { type: 'ints', value: proto.ints };
  if (is(Type.FLOATS, 'floats')) return { type: 'floats', value: proto.floats };
  if (is(Type.STRING, 's')) {
    const value = utf8(proto.s ?? new Uint8Array());
    return value === undefined ? undefined : { type: 'string', value };
  }
  if (is(Type.TENSOR, 't') && proto.t) return { type: 'tensor', value: readTensor(proto.t, where) };
  return undefined;
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
