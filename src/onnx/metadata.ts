// A model's metadata: pairs of key and value beside its graph (ModelProto.metadata_props).
import { create } from '@bufbuild/protobuf';
import { ModelProtoSchema, StringStringEntryProtoSchema } from './codec/onnx_pb.ts';
import type { Model } from './graph.ts';

/** The value of a key; undefined where the model does not have it. */
export function metadataOf(model: Model, key: string): string | undefined {
  return model.carried?.metadataProps.find((entry) => entry.key === key)?.value;
}

/** All pairs of key and value. */
export function metadataEntries(model: Model): readonly (readonly [key: string, value: string])[] {
  return (model.carried?.metadataProps ?? []).map(({ key = '', value = '' }) => [key, value]);
}

/** The model with a key set to a value; nothing else changes. */
export function withMetadata(model: Model, key: string, value: string): Model {
  const carried = model.carried ?? create(ModelProtoSchema);
  const others = carried.metadataProps.filter((entry) => entry.key !== key);
  const entry = create(StringStringEntryProtoSchema, { key, value });
  return { ...model, carried: { ...carried, metadataProps: [...others, entry] } };
}

/** The model without a key. */
export function withoutMetadata(model: Model, key: string): Model {
  const { carried } = model;
  if (!carried?.metadataProps.some((entry) => entry.key === key)) return model;
  const metadataProps = carried.metadataProps.filter((entry) => entry.key !== key);
  return { ...model, carried: { ...carried, metadataProps } };
}
