// The inputs that requests name: those of the network's own file, also where several are packed into one row.
import type { Bundle } from '../../bundle/index.ts';
import { type FloatTensor, tensor } from '../../engine/index.ts';
import { ELEM, formOf, sizeOf } from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';
import type { RequestTensor } from '../protocol/infer-request.ts';
import type { ResponseTensor } from '../protocol/infer-response.ts';

/** Most samples of one request. */
const MOST_SAMPLES = 4096;

/** Names of element types in the protocol. */
const DATATYPES: Readonly<Record<number, string>> = {
  [ELEM.float32]: 'FP32',
  2: 'UINT8',
  3: 'INT8',
  4: 'UINT16',
  5: 'INT16',
  6: 'INT32',
  7: 'INT64',
  9: 'BOOL',
  10: 'FP16',
  11: 'FP64',
  12: 'UINT32',
  13: 'UINT64',
};

interface Part {
  readonly name: string;
  readonly shape: readonly number[];
  readonly datatype: string;
}

/** The inputs of a served network. */
export class ModelInputs {
  readonly #model: string;
  readonly #parts: readonly Part[];
  /** Inputs of the file that nothing reads: a request may have them. */
  readonly #unread: ReadonlySet<string>;
  readonly #shape: readonly number[];

  constructor({ manifest, model }: Bundle) {
    const { name, shape } = manifest.model.input;
    const own = formOf(model)?.inputs;
    this.#model = manifest.name;
    this.#shape = shape;
    this.#unread = new Set(own?.filter(({ isRead }) => !isRead).map((input) => input.name));
    this.#parts = own
      ? own
          .filter(({ isRead }) => isRead)
          .map((input) => ({ ...input, datatype: DATATYPES[input.elemType] ?? 'FP32' }))
      : [{ name, shape, datatype: 'FP32' }];
  }

  /** As the protocol describes tensors, with a free batch. */
  get metadata(): readonly { name: string; datatype: string; shape: readonly number[] }[] {
    return this.#parts.map(({ name, datatype, shape }) => ({ name, datatype, shape: [-1, ...shape] }));
  }

  /** Names of the outputs that hold the relevance of each input, or each input as the network read it. */
  namesOf(what: 'relevance' | 'read'): readonly string[] {
    return this.#parts.map(({ name }) => `${name}_${what}`);
  }

  /**
   * The samples of a request, each `[1, ...shape]` as the network reads them.
   * @throws BedsideError E_REQUEST for missing or other inputs and shapes; E_TOO_LARGE
   */
  samplesOf(given: readonly RequestTensor[]): FloatTensor[] {
    const other = given.find(
      ({ name }) => !this.#unread.has(name) && !this.#parts.some((part) => part.name === name),
    );
    if (other) {
      throw new BedsideError('E_REQUEST', `model '${this.#model}' has no input '${other.name}'`, {
        hint: `its inputs: ${this.#parts.map(({ name }) => name).join(', ')}`,
      });
    }
    const tensors = this.#parts.map((part) => this.#tensorOf(part, given));
    const count = tensors[0]?.shape[0] ?? 0;
    const odd = tensors.find(({ shape }) => shape[0] !== count);
    if (odd) {
      throw new BedsideError(
        'E_REQUEST',
        `input '${odd.name}' has ${odd.shape[0]} samples, others have ${count}`,
      );
    }
    assertCount(count);
    const [only] = tensors;
    // The tensor of a request is its own copy already.
    if (only && tensors.length === 1 && count === 1)
      return [tensor(only.data, [1, ...this.#shape]) as FloatTensor];
    return Array.from({ length: count }, (_, i) => {
      const row = new Float32Array(sizeOf(this.#shape));
      let at = 0;
      for (const { data } of tensors) {
        const size = data.length / count;
        row.set(data.subarray(i * size, (i + 1) * size), at);
        at += size;
      }
      return tensor(row, [1, ...this.#shape]) as FloatTensor;
    });
  }

  /** Samples that are read already, each `[1, ...shape]`. @param data `[count, ...shape]` */
  rowsOf(data: Float32Array, count: number): FloatTensor[] {
    const size = sizeOf(this.#shape);
    return Array.from(
      { length: count },
      (_, i) => tensor(data.slice(i * size, (i + 1) * size), [1, ...this.#shape]) as FloatTensor,
    );
  }

  /** The relevance of samples as outputs, one for each input. @param rows one row for each sample */
  relevanceOf(rows: readonly Float32Array[]): ResponseTensor[] {
    return this.#outputsOf(rows, 'relevance');
  }

  /** Samples as the network read them, as outputs, one for each input. @param rows one row for each sample */
  inputsOf(rows: readonly Float32Array[]): ResponseTensor[] {
    return this.#outputsOf(rows, 'read');
  }

  #outputsOf(rows: readonly Float32Array[], what: 'relevance' | 'read'): ResponseTensor[] {
    let from = 0;
    return this.#parts.map(({ name, shape }) => {
      const size = sizeOf(shape);
      const data = new Float32Array(rows.length * size);
      for (const [i, row] of rows.entries()) data.set(row.subarray(from, from + size), i * size);
      from += size;
      return { name: `${name}_${what}`, shape: [rows.length, ...shape], data };
    });
  }

  #tensorOf({ name, shape }: Part, given: readonly RequestTensor[]): RequestTensor {
    const own = given.find((input) => input.name === name);
    if (!own) {
      const names = given.map((input) => `'${input.name}'`).join(', ');
      throw new BedsideError(
        'E_REQUEST',
        `model '${this.#model}' needs the input '${name}', given: ${names}`,
      );
    }
    if (own.shape.slice(1).join() === shape.join() && own.shape.length === shape.length + 1) return own;
    throw new BedsideError(
      'E_REQUEST',
      `input '${name}' has shape [${own.shape.join(', ')}], expected [${['batch', ...shape].join(', ')}]`,
    );
  }
}

/** @throws BedsideError E_TOO_LARGE for more samples than one request may have */
export function assertCount(count: number): void {
  if (count <= MOST_SAMPLES) return;
  throw new BedsideError('E_TOO_LARGE', `${count} samples in one request, at most ${MOST_SAMPLES}`, {
    hint: 'send them in parts',
  });
}
