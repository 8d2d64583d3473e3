// What was changed to bring a model into the form that everything else reads: one float32 input `[batch, ...]`, the
// explained output first. It travels in the model's metadata, so every network made of it can be written as it came.
import { BedsideError } from '../../util/index.ts';
import { type Dim, isFloating, type Model, sizeOf } from '../graph.ts';
import { metadataOf, withMetadata, withoutMetadata } from '../metadata.ts';

/** An input as the file has it. */
export interface FormInput {
  readonly name: string;
  readonly elemType: number;
  /** As declared; null for a size without a number or a name. */
  readonly dims: readonly (number | string | null)[];
  /** Shape of one sample, without the batch axis. */
  readonly shape: readonly number[];
  /** Whether any node reads it; others are no part of the one input. */
  readonly isRead: boolean;
}

/** An output as the file has it. */
export interface FormOutput {
  readonly name: string;
  readonly elemType: number;
}

/** How numbers are stored and computed in the file, where that is not float32 throughout. */
export interface FormNumbers {
  /** The file's element type of numbers with fractions (float16, bfloat16, float64). */
  readonly elemType: number;
  /** Whether the file computes with them; otherwise it stores weights so, and casts them. */
  readonly computes: boolean;
  /** Values that the file computes in float32, where it computes with both. */
  readonly wide: readonly string[];
  /** Where it stores weights alone so: whether matrices, and whether biases and other vectors, are all of that type. */
  readonly stores: { readonly matrices: boolean; readonly vectors: boolean };
}

/** The changes. A part that is absent was not changed. */
export interface Form {
  /** All inputs in the file's order, where there are several, or the only one is no float32 `[batch, ...]`. */
  readonly inputs?: readonly FormInput[];
  /** All outputs in the file's order, where the explained one is not the first, or an element type was changed. */
  readonly outputs?: readonly FormOutput[];
  readonly numbers?: FormNumbers;
  /** The batch that the file fixes, and that is open here. */
  readonly batch?: number | undefined;
  /** Whether the file computes with eight bits, which are float32 here and stay so. */
  readonly dequantised?: boolean;
}

/** The key of the metadata. */
export const FORM_KEY = 'bedside_form';

/** What was changed of a model; undefined where nothing was. */
export function formOf(model: Model): Form | undefined {
  const text = metadataOf(model, FORM_KEY);
  if (text === undefined) return undefined;
  try {
    const form: unknown = JSON.parse(text);
    if (typeof form === 'object' && form !== null) return form as Form;
  } catch {
    // Said below.
  }
  throw new BedsideError('E_MODEL', `the metadata '${FORM_KEY}' of the model is damaged`, {
    hint: 'it is written by bedside alone; make the model or the bundle again',
  });
}

/** The model with more changes noted. */
export function withForm(model: Model, more: Form): Model {
  const form = { ...formOf(model), ...more };
  const isEmpty = Object.values(form).every((part) => part === undefined);
  return isEmpty ? withoutForm(model) : withMetadata(model, FORM_KEY, JSON.stringify(form));
}

/** The model without the note. */
export function withoutForm(model: Model): Model {
  return withoutMetadata(model, FORM_KEY);
}

/** Declared sizes as JSON keeps them. */
export function storedDims(dims: readonly Dim[] | undefined): FormInput['dims'] {
  return (dims ?? []).map((dim) => dim ?? null);
}

/** One of several inputs that a network reads as one: rows hold them one after the other, in this order. */
export interface PackedInput {
  readonly name: string;
  /** Shape of one sample, without the batch axis. */
  readonly shape: readonly number[];
  /** ONNX element type in the file; whole numbers and flags are cast inside the network. */
  readonly elemType: number;
}

/**
 * The inputs that a network reads as one, where the file has several, or one of whole numbers or flags; undefined for any
 * other single one.
 */
export function packedInputs(model: Model): readonly PackedInput[] | undefined {
  const read = formOf(model)?.inputs?.filter(({ isRead }) => isRead) ?? [];
  if (read.length < 2 && read.every(({ elemType }) => isFloating(elemType))) return undefined;
  return read.map(({ name, shape, elemType }) => ({ name, shape, elemType }));
}

/** A run of positions in a sample. */
export interface PositionRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The positions of a sample that stand for whole numbers and flags. They have no points between them: what varies a
 * sample leaves them as they are.
 */
export function wholePositions(model: Model): readonly PositionRange[] {
  let end = 0;
  return (packedInputs(model) ?? []).flatMap(({ shape, elemType }) => {
    const start = end;
    end += sizeOf(shape);
    return isFloating(elemType) ? [] : [{ start, end }];
  });
}
