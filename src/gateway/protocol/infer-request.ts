// Inference requests of the Open Inference Protocol, version 2: a JSON object, and behind it the bytes of tensors.
import { isUtf8 } from 'node:buffer';
import { BedsideError } from '../../util/index.ts';
import { isRecord } from '../../util/internal.ts';
import { floatsOfBytes, floatsOfJson } from './datatypes.ts';

/** A tensor of a request. */
export interface RequestTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** An output that a request asks for. */
export interface RequestedOutput {
  readonly name: string;
  /** Whether it goes back as bytes behind the JSON. */
  readonly binary: boolean;
}

/** A parameter: extensions of the protocol use scalars only. */
export type Scalar = string | number | boolean;

/** A request as it was sent. */
export interface InferRequest {
  readonly id: string | undefined;
  readonly inputs: readonly RequestTensor[];
  /** Undefined: all of the network's. */
  readonly outputs: readonly RequestedOutput[] | undefined;
  /** Whether outputs that are not named go back as bytes (`binary_data_output`). */
  readonly binary: boolean;
  readonly parameters: Readonly<Record<string, Scalar>>;
}

/** Most elements of one tensor; larger shapes are refused before anything is allocated. */
const MOST_ELEMENTS = 2 ** 28;
const MOST_TENSORS = 64;
const MOST_TEXT = 256;

/**
 * Reads the body of a request.
 * @param jsonBytes the length of the JSON object, from the header `Inference-Header-Content-Length`; undefined where
 * the whole body is JSON
 * @throws BedsideError E_REQUEST, saying what is wrong and where
 */
export function readInferRequest(body: Uint8Array, jsonBytes: number | undefined): InferRequest {
  if (jsonBytes !== undefined && jsonBytes > body.byteLength) {
    throw new BedsideError(
      'E_REQUEST',
      `Inference-Header-Content-Length is ${jsonBytes}, the body has ${body.byteLength} bytes`,
      { hint: 'it is the length of the JSON object before compression' },
    );
  }
  const request = asObject(parseJson(body.subarray(0, jsonBytes ?? body.byteLength)), 'the request');
  const rest = new Bytes(jsonBytes === undefined ? new Uint8Array(0) : body.subarray(jsonBytes));
  const { id, inputs, outputs } = request;
  if (id !== undefined && typeof id !== 'string') throw wrong('`id` is not a string');
  if (id !== undefined && id.length > MOST_TEXT) throw wrong(`\`id\` is longer than ${MOST_TEXT} characters`);
  if (!Array.isArray(inputs) || inputs.length === 0) throw wrong('`inputs` is not a list of tensors');
  if (inputs.length > MOST_TENSORS)
    throw wrong(`\`inputs\` has ${inputs.length} tensors, at most ${MOST_TENSORS}`);
  const parameters = scalars(request.parameters, '`parameters`');
  const binary = flag(parameters, 'binary_data_output', '`parameters`') ?? false;
  const read = inputs.map((input, i) => readTensor(input, `input ${i}`, rest));
  if (read.length > 1 && new Set(read.map(({ name }) => name)).size < read.length)
    throw wrong('two inputs have the same name');
  if (rest.left > 0)
    throw wrong(`${rest.left} bytes follow the last tensor`, 'sizes must add up to the body');
  return { id, inputs: read, outputs: readOutputs(outputs, binary), binary, parameters };
}

/** The bytes behind the JSON, taken from the front. */
class Bytes {
  readonly #all: Uint8Array;
  #at = 0;

  constructor(all: Uint8Array) {
    this.#all = all;
  }

  get left(): number {
    return this.#all.byteLength - this.#at;
  }

  take(size: number, what: string): Uint8Array {
    if (size > this.left) {
      throw wrong(
        `${what}: binary_data_size is ${size}, ${this.left} bytes are left of the body`,
        'the header Inference-Header-Content-Length must say where the JSON ends',
      );
    }
    this.#at += size;
    return this.#all.subarray(this.#at - size, this.#at);
  }
}

function readTensor(value: unknown, where: string, bytes: Bytes): RequestTensor {
  const tensor = asObject(value, where);
  const { name, shape, datatype, data } = tensor;
  if (typeof name !== 'string' || name === '' || name.length > MOST_TEXT) throw wrong(`${where} has no name`);
  const what = `input '${name}'`;
  if (!Array.isArray(shape) || !shape.every((size) => Number.isInteger(size) && size >= 0)) {
    throw wrong(`${what}: \`shape\` is not a list of whole numbers`);
  }
  if (typeof datatype !== 'string') throw wrong(`${what} has no \`datatype\``);
  const count = (shape as number[]).reduce((product, size) => product * size, 1);
  if (!(count > 0 && count <= MOST_ELEMENTS)) {
    throw wrong(`${what}: its shape has ${count} elements`, `between 1 and ${MOST_ELEMENTS}`);
  }
  const size = scalars(tensor.parameters, `${what}: \`parameters\``).binary_data_size;
  if (size === undefined) {
    return { name, shape: shape as number[], data: floatsOfJson(data, datatype, count, what) };
  }
  if (data !== undefined) throw wrong(`${what} has both \`data\` and \`binary_data_size\``);
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0) {
    throw wrong(`${what}: \`binary_data_size\` is not a number of bytes`);
  }
  const own = bytes.take(size, what);
  return { name, shape: shape as number[], data: floatsOfBytes(own, datatype, count, what) };
}

function readOutputs(value: unknown, binary: boolean): RequestedOutput[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw wrong('`outputs` is not a list');
  if (value.length > MOST_TENSORS)
    throw wrong(`\`outputs\` has ${value.length} entries, at most ${MOST_TENSORS}`);
  // As other servers do: an empty list asks for all of them.
  if (value.length === 0) return undefined;
  return value.map((entry, i) => {
    const output = asObject(entry, `output ${i}`);
    if (typeof output.name !== 'string') throw wrong(`output ${i} has no name`);
    const what = `output '${output.name.slice(0, MOST_TEXT)}': \`parameters\``;
    const parameters = scalars(output.parameters, what);
    if (parameters.classification !== undefined) {
      throw wrong(`output '${output.name}': classification is not offered`, 'ask for the scores themselves');
    }
    return { name: output.name, binary: flag(parameters, 'binary_data', what) ?? binary };
  });
}

function flag(
  parameters: Readonly<Record<string, Scalar>>,
  name: string,
  where: string,
): boolean | undefined {
  const value = parameters[name];
  if (value === undefined || typeof value === 'boolean') return value;
  throw wrong(`${where}: \`${name}\` is not true or false`);
}

/** Parameters; those that are no scalars are unknown to us and ignored, as the protocol asks. */
function scalars(value: unknown, where: string): Record<string, Scalar> {
  if (value === undefined || value === null) return {};
  const found: Record<string, Scalar> = {};
  const all = asObject(value, where);
  for (const name of Object.keys(all)) {
    const own = all[name];
    if (isScalar(own)) found[name] = own;
  }
  return found;
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    if (!isUtf8(bytes)) throw new TypeError('the bytes are not UTF-8');
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
    return JSON.parse(text.startsWith('\ufeff') ? text.slice(1) : text);
  } catch (cause) {
    throw new BedsideError('E_REQUEST', 'the request is not JSON', {
      hint:
        'where tensors follow as bytes, the header Inference-Header-Content-Length says how long the JSON is; a file needs ' +
        'its own content type, or ?name=',
      cause,
    });
  }
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (isRecord(value)) return value;
  throw wrong(`${what} is not an object`);
}

function wrong(message: string, hint?: string): BedsideError {
  return new BedsideError('E_REQUEST', message, hint === undefined ? {} : { hint });
}
