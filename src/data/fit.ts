// Refusals when data and model do not fit: both sides are said.
import { BedsideError } from '../util/index.ts';

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
