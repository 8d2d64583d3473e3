// The arrays of an archive for a network of several inputs: `<split>_<input>`, or the input's own name, or `x_<input>`.
// A sample is one row with all inputs one after the other.
import { BedsideError, firstOf, type TaskKind } from '../../util/index.ts';
import type { DatasetSplit, InputPart } from '../dataset.ts';
import { formatShape, shapeMisfit } from '../fit.ts';
import { isWide } from '../images/pixel-range.ts';
import { type RowWriter, type StoredValues, saysRange } from './images.ts';
import { type Names, type PartNames, partsOf, SAMPLES } from './names.ts';
import type { NpyHead } from './npy.ts';
import { rowWriter } from './samples.ts';

/** An array of samples: of the network's one input, or of one of several. */
export interface SampleArray {
  readonly array: string;
  /** Where its numbers stand in a sample. */
  readonly offset: number;
  /** The input, where the network names several. */
  readonly input: InputPart | undefined;
}

/** One part of an archive: its arrays of samples, and what else belongs to them. */
export interface NamedPart {
  /** `images` is the first input's array. */
  readonly names: PartNames;
  readonly arrays: readonly SampleArray[];
}

/**
 * The parts of an archive that a split reads, with an array for every input.
 * @throws BedsideError E_DATA, naming the input that has none
 */
export function partsOfInputs(
  entries: Names,
  split: DatasetSplit,
  name: string,
  { inputs, task }: { readonly inputs: readonly InputPart[]; readonly task?: TaskKind | undefined },
): NamedPart[] {
  // The one input of whole numbers has the usual names too.
  const usual = inputs.length === 1 ? SAMPLES : [];
  const found = inputs.map((input) => {
    const samples = [input.name, `x_${input.name}`, ...usual];
    try {
      return partsOf(entries, split, name, { samples, task });
    } catch (error) {
      if (!BedsideError.is(error, 'E_DATA')) throw error;
      throw noArray(entries, inputs, input, name);
    }
  });
  return (found[0] ?? []).map((names): NamedPart => {
    let offset = 0;
    const arrays = inputs.map((input, i): SampleArray => {
      const own = found[i]?.find(({ position }) => position === names.position);
      if (!own) throw noArray(entries, inputs, input, name);
      const array = { array: own.images, offset, input };
      offset += product(input.shape);
      return array;
    });
    return { names, arrays };
  });
}

function noArray(
  entries: Names,
  inputs: readonly InputPart[],
  missing: InputPart,
  name: string,
): BedsideError {
  const read = inputs.map((input) => input.name).join(', ');
  const own = firstOf([...entries.keys()], 20) || 'none';
  return new BedsideError(
    'E_DATA',
    `${name} has no array of input '${missing.name}': the model reads ${read}`,
    {
      hint: `its arrays are ${own}; each input needs <split>_<input>, or one of its own name`,
    },
  );
}

/** Element types that have no fractions: everything but the floating-point ones. */
const FLOATS: ReadonlySet<number> = new Set([1, 10, 11, 16]);

/**
 * How rows of one of several inputs become its part of a sample.
 * @throws BedsideError E_DATA_FIT when the shapes do not fit
 */
export function partWriter(
  head: NpyHead,
  { shape, elemType }: InputPart,
  name: string,
  stored: StoredValues = {},
): RowWriter {
  const [, ...inner] = head.shape;
  const size = product(shape);
  if (FLOATS.has(elemType) && size > 1) {
    if (shape.length > 1 && isWide(head.dtype) && !saysRange(stored.contract)) {
      throw new BedsideError('E_DATA', `${name} is ${head.dtype}: nothing says which value is white`, {
        hint: 'divide by what the network was trained with, and save as float32',
      });
    }
    return rowWriter(head, shape, name, shape.length === 3 ? stored : {});
  }
  if (head.shape.length === 0 || product(inner) !== size || !sameAxes(inner, shape)) {
    throw shapeMisfit(shape, `${head.dtype} ${formatShape(inner)}`, name);
  }
  const isWhole = !FLOATS.has(elemType);
  return (numbers, row, samples, start) => {
    for (let i = 0; i < size; i++) {
      const value = Number(numbers[i]);
      const kept = Math.fround(value);
      const isExact = isWhole ? Number.isInteger(value) && kept === value : Number.isFinite(kept);
      if (!isExact) throw notKept(name, row, isWhole);
      samples[start + i] = kept;
    }
  };
}

function notKept(name: string, row: number, isWhole: boolean): BedsideError {
  const what = isWhole ? 'a whole number up to 16777216' : 'a finite number in float32';
  return new BedsideError('E_DATA', `${name}: sample ${row} has a value that is not ${what}`, {
    hint: isWhole
      ? 'the network reads whole numbers there; larger ones are not exact in float32'
      : 'fill its gaps',
  });
}

/** Equal, but for axes of 1. */
function sameAxes(a: readonly number[], b: readonly number[]): boolean {
  return a.filter((axis) => axis !== 1).join() === b.filter((axis) => axis !== 1).join();
}

function product(shape: readonly number[]): number {
  return shape.reduce((total, axis) => total * axis, 1);
}
