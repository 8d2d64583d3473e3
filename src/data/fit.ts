// Refusals when data and model do not fit, both sides said; and when the samples do not fit into memory.
import { BedsideError, formatBytes } from '../util/index.ts';

/** `[1, 64, 64]` */
export function formatShape(shape: readonly (number | string)[]): string {
  return `[${shape.join(', ')}]`;
}

/** An E_DATA_FIT error about one sample's shape. */
export function shapeMisfit(model: readonly number[], data: string, name: string): BedsideError {
  return new BedsideError(
    'E_DATA_FIT',
    `${name} does not fit: the model reads ${formatShape(model)}, the data is ${data}`,
    {
      hint: 'use the data the model was trained for, or a model for this data',
    },
  );
}

/** An E_DATA_FIT error about the number of classes. */
export function classMisfit(model: number, data: string, name: string): BedsideError {
  return new BedsideError(
    'E_DATA_FIT',
    `${name} does not fit: the model has ${model} classes, the data has ${data}`,
    {
      hint: 'use the data the model was trained for, or a model for this data',
    },
  );
}

/** @throws BedsideError E_DATA_FIT unless the counts are equal */
export function assertClassCount(model: number, names: readonly string[], name: string): void {
  if (names.length !== model) throw classMisfit(model, `${names.length} (${names.join(', ')})`, name);
}

/** `0`, `1`, ... for data that does not name its classes. */
export function numberedClasses(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

/**
 * Room for `count` samples of `size` values.
 * @throws BedsideError E_DATA when memory does not hold them
 */
export function allocateSamples(count: number, size: number, name: string): Float32Array<ArrayBuffer> {
  try {
    return new Float32Array(count * size);
  } catch (cause) {
    throw new BedsideError(
      'E_DATA',
      `${name}: ${count} samples take ${formatBytes(count * size * 4)}, more than can be allocated`,
      { hint: 'take fewer with --limit or --per-class', cause },
    );
  }
}
