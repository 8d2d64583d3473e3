// What a model's own metadata says of its contract: keys of this project (`bedside.`), and those that other tools write.
import { BedsideError } from '../../util/index.ts';
import { CONTRACT_KEY } from '../../util/internal.ts';
import type { ImageContract, InputContract } from './contract.ts';
import { checkContract } from './parse.ts';

const PREFIX = 'bedside.';

/** A contract from metadata, and remarks about keys that could not be used. */
export interface MetadataContract {
  readonly contract: InputContract;
  readonly remarks: readonly string[];
}

/**
 * The contract that a model's metadata gives. `bedside.contract` is a whole one in JSON; `bedside.task`,
 * `bedside.image.mean` and the like are single fields, which go before it. Class names are also taken from `names`,
 * `classes`, `class_names` and `labels`, and the pixels' order and range from the keys of ONNX (`Image.*`).
 * @param name the model in messages
 * @throws BedsideError E_CONTRACT for a key of ours that is wrong
 */
export async function contractOfMetadata(
  entries: readonly (readonly [key: string, value: string])[],
  name: string,
): Promise<MetadataContract> {
  const remarks: string[] = [];
  const foreign = foreignFields(entries, remarks);
  const own = entries.filter(([key]) => key.startsWith(PREFIX));
  if (own.length === 0) return { contract: foreign, remarks };
  const whole = own.find(([key]) => key === CONTRACT_KEY);
  const said = whole
    ? await checkContract(jsonValue(whole[1], whole[0], name), `${name} (${CONTRACT_KEY})`)
    : {};
  const single: Record<string, unknown> = {};
  for (const [key, value] of own) {
    if (key === CONTRACT_KEY) continue;
    const path = key.slice(PREFIX.length).split('.');
    // Deeper keys are no fields.
    if (path.length > 2) continue;
    place(single, path, path[0] === 'classes' ? (namesIn(value) ?? value) : looseValue(value));
  }
  const fields = await checkContract(single, `${name} (metadata ${PREFIX}*)`);
  const image = { ...foreign.image, ...said.image, ...fields.image };
  const signal = { ...said.signal, ...fields.signal };
  const contract = {
    ...foreign,
    ...said,
    ...fields,
    ...(Object.keys(image).length > 0 && { image }),
    ...(Object.keys(signal).length > 0 && { signal }),
  };
  return { contract, remarks };
}

function place(to: Record<string, unknown>, [part = '', field]: readonly string[], value: unknown): void {
  if (field === undefined) to[part] = value;
  else to[part] = { ...(to[part] as object | undefined), [field]: value };
}

function jsonValue(text: string, key: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new BedsideError('E_CONTRACT', `${name}: its metadata '${key}' is not JSON`, {
      hint: 'export the model again, or give a model.json beside it without this field',
      cause,
    });
  }
}

/** JSON where it is, else text: `bedside.task` is written without quotes. */
function looseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const NAME_KEYS = ['names', 'classes', 'class_names', 'labels'];

function foreignFields(entries: readonly (readonly [string, string])[], remarks: string[]): InputContract {
  const textOf = (key: string) => entries.find(([own]) => own === key)?.[1];
  let classes: readonly string[] | undefined;
  for (const key of NAME_KEYS) {
    const text = textOf(key);
    if (text === undefined || classes) continue;
    classes = namesIn(text);
    if (!classes) remarks.push(`the model's metadata '${key}' is no list of class names: not used`);
  }
  const image: ImageContract = { ...pixelOrder(textOf('Image.BitmapPixelFormat')) };
  const range = textOf('Image.NominalPixelRange');
  const scaled = range === undefined ? {} : PIXEL_RANGES[range];
  if (!scaled) remarks.push(`the model's metadata 'Image.NominalPixelRange' is '${range}': not used`);
  Object.assign(image, scaled);
  return {
    ...(classes && { classes }),
    ...(Object.keys(image).length > 0 && { image }),
  };
}

/** Ranges of pixels as ONNX's metadata names them (docs/MetadataProps.md of ONNX). */
const PIXEL_RANGES: Readonly<Record<string, ImageContract>> = {
  NominalRange_0_255: { scale: 1 },
  Normalized_0_1: {},
  Normalized_1_1: { mean: 0.5, deviation: 0.5 },
};

function pixelOrder(format: string | undefined): ImageContract {
  if (format === undefined) return {};
  return /^Bgr/i.test(format) ? { colour: 'BGR' } : /^Rgb/i.test(format) ? { colour: 'RGB' } : {};
}

/** Names from JSON, from a Python list or dictionary by index, or with commas; undefined for anything else. */
export function namesIn(text: string): readonly string[] | undefined {
  const value = looseValue(text);
  if (Array.isArray(value)) return distinct(value);
  if (typeof value === 'object' && value !== null) return byIndex(Object.entries(value));
  const trimmed = text.trim();
  if (/^\{.*\}$/s.test(trimmed)) {
    // Indices of a few digits: where a long number is none, it is not read again from each of its digits.
    const pairs = trimmed.matchAll(/(?:(\d{1,9})|(['"])(\d{1,9})\2)\s*:\s*(['"])(.*?)\4/gs);
    return byIndex(Array.from(pairs, ([, plain, , quoted, , name]) => [plain ?? quoted ?? '', name ?? '']));
  }
  if (/^[[(].*[\])]$/s.test(trimmed)) {
    return distinct(Array.from(trimmed.matchAll(/(['"])(.*?)\1/gs), ([, , name]) => name));
  }
  return trimmed.includes(',') ? distinct(trimmed.split(',').map((name) => name.trim())) : undefined;
}

function byIndex(entries: readonly (readonly [string, unknown])[]): readonly string[] | undefined {
  const names: unknown[] = new Array(entries.length).fill(undefined);
  for (const [index, name] of entries) if (/^\d+$/.test(index)) names[Number(index)] = name;
  return names.length === entries.length ? distinct(names) : undefined;
}

function distinct(names: readonly unknown[]): readonly string[] | undefined {
  const texts = names.filter((name): name is string => typeof name === 'string' && name !== '');
  return texts.length >= 1 && texts.length === names.length && new Set(texts).size === texts.length
    ? texts
    : undefined;
}
