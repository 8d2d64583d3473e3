// Refusals when data and model do not fit, both sides said; and when the samples do not fit into memory.
import { BedsideError, firstOf, formatBytes } from '../util/index.ts';
import { availableMemory } from '../util/internal.ts';

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

/** The number of classes of a model, and the name of its output where it is known. */
interface Scores {
  readonly classes: number;
  readonly output?: string | undefined;
}

/** An E_DATA_FIT error about the number of classes. */
export function classMisfit({ classes, output }: Scores, data: string, name: string): BedsideError {
  const told = output === undefined ? '' : ` (${output})`;
  return new BedsideError(
    'E_DATA_FIT',
    `${name} does not fit: the model has ${classes} classes${told}, the data has ${data}`,
    {
      hint:
        'use the data the model was trained for, or a model for this data; --labels names its classes, and --class-map ' +
        'says which class each label of the data is; its first output must be one score a class, not features',
    },
  );
}

/** @throws BedsideError E_DATA_FIT unless the counts are equal */
export function assertClassCount(model: Scores, names: readonly string[], name: string): void {
  if (names.length !== model.classes) throw classMisfit(model, `${names.length} (${names.join(', ')})`, name);
}

/** Classes that data may lack, whatever their share, before it is taken for that of another network. */
const MAY_LACK = 10;

/**
 * Refuses labels of so few classes that the scores are not theirs: features, an embedding, another task. Fewer classes
 * than the model's are right for local data, so only many more than twice as many are refused, and none where the
 * classes were named.
 * @param highest the highest label of the whole data
 * @throws BedsideError E_DATA_FIT
 */
export function assertLabelsOf(model: Scores, highest: number, name: string): void {
  const own = highest + 1;
  if (model.classes <= Math.max(2 * own, own + MAY_LACK)) return;
  const { code, message, hint } = classMisfit(model, `labels from 0 to ${highest}`, name);
  throw new BedsideError(code, message, {
    hint: `${hint}; if these are a few of its classes, name them with --classes`,
  });
}

const MOST_LABEL = 2 ** 31 - 1;

/**
 * A label that an Int32Array holds as it is.
 * @throws BedsideError E_DATA for a larger one, which would become another label
 */
export function wholeLabel(label: number, where: string): number {
  if (label <= MOST_LABEL) return label;
  throw new BedsideError('E_DATA', `${where}: label ${label} is beyond ${MOST_LABEL}`, {
    hint: 'number the labels from 0, or give them as text',
  });
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
  const room = availableMemory();
  const bytes = count * size * 4;
  let cause: unknown;
  if (bytes <= room) {
    try {
      return new Float32Array(count * size);
    } catch (error) {
      cause = error;
    }
  }
  throw new BedsideError(
    'E_DATA',
    `${name}: ${count} samples take ${formatBytes(bytes)}, more than can be allocated (${formatBytes(room)} are free)`,
    { hint: 'take fewer with --limit or --per-class', cause },
  );
}

/**
 * A remark that names the classes which no sample of the data has, of those asked for; none where all are there.
 * @param labels of all samples that could be chosen
 */
export function absentClasses(
  labels: Int32Array | undefined,
  classNames: readonly string[],
  classFilter: readonly number[] | undefined,
  name: string,
): string[] {
  if (!labels) return [];
  const present = new Uint8Array(classNames.length);
  for (const label of labels) present[label] = 1;
  const absent = classNames.filter((_, i) => !present[i] && (classFilter?.includes(i) ?? true));
  if (absent.length === 0) return [];
  return [`${name} has no sample of ${absent.length === 1 ? 'class' : 'classes'} ${firstOf(absent, 10)}`];
}
