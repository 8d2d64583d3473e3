// What samples of an archive should give: one class, several labels, values, or masks; as numbers or as text.
import { BedsideError } from '../../util/index.ts';
import type { DatasetOptions, Targets } from '../dataset.ts';
import { classMisfit, formatShape, shapeMisfit, wholeLabel } from '../fit.ts';
import type { NpyArray } from './npy.ts';

/** Writes one row's target to `data` from `start`. */
type TargetWriter = (numbers: NpyArray['data'], row: number, data: Targets['data'], start: number) => void;

/** How rows of an array become targets. */
export interface TargetForm {
  readonly kind: Targets['kind'];
  readonly shape: readonly number[];
  readonly write: TargetWriter;
  /** Whether bytes do not hold the classes of a mask. */
  readonly isWide?: boolean | undefined;
}

/** The fields of a network that targets fit. */
type Network = Pick<DatasetOptions, 'task' | 'classes' | 'output' | 'outputShape' | 'contract'>;

/**
 * Classes of samples, from whole numbers `[N]` or `[N, 1]`, or from rows with a single 1 each.
 * @param where name of the array in messages
 * @throws BedsideError E_DATA for other numbers; E_DATA_FIT for more classes than the network has
 */
export function classLabels(
  { shape, data }: Pick<NpyArray, 'shape' | 'data'>,
  network: Network,
  { where, name }: { readonly where: string; readonly name: string },
): Int32Array {
  const columns = shape.slice(1).reduce((product, axis) => product * axis, 1);
  if (columns > 1) return oneHot(data, columns, network, { where, name });
  const labels = new Int32Array(data.length);
  let highest = 0;
  for (let i = 0; i < data.length; i++) {
    const label = Number(data[i]);
    if (!Number.isInteger(label) || label < 0) {
      throw new BedsideError('E_DATA', `${where}: the label of sample ${i} is not a whole number from 0`, {
        hint: 'number classes from 0, and leave out samples whose class is not known; --task regression is for values',
      });
    }
    highest = Math.max(highest, label);
    labels[i] = wholeLabel(label, where);
  }
  if (highest >= network.classes && !network.contract?.classMap)
    throw classMisfit(network, `label ${highest}`, name);
  return labels;
}

function oneHot(
  data: NpyArray['data'],
  columns: number,
  network: Network,
  { where, name }: { readonly where: string; readonly name: string },
): Int32Array {
  const labels = new Int32Array(data.length / columns);
  for (let row = 0; row < labels.length; row++) {
    let ones = 0;
    for (let column = 0; column < columns; column++) {
      const value = Number(data[row * columns + column]);
      if (value === 0) continue;
      if (value === 1) ones++;
      else ones = 2;
      labels[row] = column;
    }
    if (ones === 1) continue;
    throw new BedsideError(
      'E_DATA',
      `${where}: expected [N] or [N, 1], or a single 1 in each row of [N, ${columns}]; row ${row} has another number`,
      {
        hint: 'one class per sample is needed; for several labels or values a sample, say --task multi-label or regression',
      },
    );
  }
  if (columns !== network.classes && !network.contract?.classMap)
    throw classMisfit(network, `rows of ${columns}`, name);
  return labels;
}

/**
 * How rows of this shape become targets of the network's task.
 * @param inner shape of a row
 * @param where name of the array in messages
 * @throws BedsideError E_DATA_FIT when the shape is not that of the network's output
 */
export function targetForm(inner: readonly number[], network: Network, where: string): TargetForm {
  const { task, classes, outputShape = [classes] } = network;
  if (task === 'multi-label') {
    if (axes(inner) !== axes([classes])) throw misfit(outputShape, 'labels', inner, where);
    return { kind: 'labels', shape: [classes], write: labelWriter(classes, where) };
  }
  if (task !== 'segmentation') {
    if (axes(inner) !== axes(outputShape)) throw misfit(outputShape, 'values', inner, where);
    return { kind: 'values', shape: [...outputShape], write: valueWriter(sizeOf(outputShape), where) };
  }
  const [channels = 1, ...space] = outputShape;
  if (axes(inner) === axes(outputShape)) {
    return { kind: 'mask', shape: [...outputShape], write: maskWriter(sizeOf(outputShape), where) };
  }
  if (axes(inner) === axes(space)) {
    const write = classMaskWriter(sizeOf(space), channels, where);
    return { kind: 'mask', shape: [1, ...space], write, isWide: channels > 256 };
  }
  if (axes(inner) !== axes([...space, channels])) throw misfit(outputShape, 'masks', inner, where);
  return { kind: 'mask', shape: [...outputShape], write: lastMaskWriter(sizeOf(space), channels, where) };
}

/** Axes of 1 say nothing. */
function axes(shape: readonly number[]): string {
  return shape.filter((axis) => axis !== 1).join();
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, 1);
}

function misfit(
  outputShape: readonly number[],
  what: string,
  inner: readonly number[],
  where: string,
): BedsideError {
  const { code, message } = shapeMisfit(outputShape, formatShape(inner), where);
  return new BedsideError(code, message.replace('the model reads', `the model gives ${what} of`), {
    hint: 'use the data of this network; --task says what the network is for, --output which of its outputs is meant',
  });
}

function labelWriter(size: number, where: string): TargetWriter {
  return (numbers, row, data, start) => {
    for (let i = 0; i < size; i++) {
      const value = Number(numbers[i]);
      if (value !== 0 && value !== 1) {
        throw wrongValue(
          where,
          row,
          'is neither 0 nor 1',
          'a label is there (1) or not (0); leave out samples of which it is unknown',
        );
      }
      data[start + i] = value;
    }
  };
}

function valueWriter(size: number, where: string): TargetWriter {
  return (numbers, row, data, start) => {
    for (let i = 0; i < size; i++) {
      const value = Math.fround(Number(numbers[i]));
      if (!Number.isFinite(value))
        throw wrongValue(where, row, 'is not a finite number', 'leave out samples without a value');
      data[start + i] = value;
    }
  };
}

/** A mask of 0 and 1, or of 0 and 255 as pictures of masks have it. */
function maskWriter(size: number, where: string): TargetWriter {
  return (numbers, row, data, start) => {
    for (let i = 0; i < size; i++) data[start + i] = bit(Number(numbers[i]), where, row);
  };
}

/** The same with channels last. */
function lastMaskWriter(positions: number, channels: number, where: string): TargetWriter {
  return (numbers, row, data, start) => {
    for (let at = 0; at < positions * channels; at++) {
      const to = (at % channels) * positions + Math.floor(at / channels);
      data[start + to] = bit(Number(numbers[at]), where, row);
    }
  };
}

/** The class of each position. */
function classMaskWriter(positions: number, channels: number, where: string): TargetWriter {
  return (numbers, row, data, start) => {
    for (let i = 0; i < positions; i++) {
      const value = Number(numbers[i]);
      if (!Number.isInteger(value) || value < 0 || value >= channels) {
        throw wrongValue(
          where,
          row,
          `is not a class from 0 to ${channels - 1}`,
          'a mask holds the class of each position',
        );
      }
      data[start + i] = value;
    }
  };
}

function bit(value: number, where: string, row: number): number {
  if (value === 0) return 0;
  if (value === 1 || value === 255) return 1;
  throw wrongValue(where, row, 'is not 0, 1 or 255', 'a mask of one channel tells where something is');
}

function wrongValue(where: string, row: number, what: string, hint: string): BedsideError {
  return new BedsideError('E_DATA', `${where}: a value of sample ${row} ${what}`, { hint });
}
