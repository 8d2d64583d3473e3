// A dataset from an `.npz`: `<split>_images` and `<split>_labels` as MedMNIST has them, or `x` and `y`.
import { BedsideError, must, readFileChecked } from '../util/index.ts';
import type { Dataset, DatasetOptions, Split } from './dataset.ts';
import {
  allocateSamples,
  assertLabelsOf,
  classMisfit,
  formatShape,
  numberedClasses,
  shapeMisfit,
} from './fit.ts';
import { hashSamples } from './hash.ts';
import type { NpyArray } from './npy.ts';
import { decodeNpz, npzNames } from './npz.ts';
import { imageShape, writeSample } from './pixels.ts';
import { selectIndices } from './sampling.ts';

const SPLITS: { readonly [S in Split]: readonly string[] } = {
  local: ['train'],
  test: ['test'],
  all: ['train', 'val', 'test'],
};

interface Part {
  readonly images: NpyArray;
  readonly labels: NpyArray | undefined;
  readonly imagesName: string;
  readonly labelsName: string;
}

type SampleWriter = (index: number, samples: Float32Array, start: number) => Promise<void> | void;

/**
 * Reads an archive. Bytes `[N, H, W]`, `[N, H, W, 1]` or `[N, H, W, 3]` are images: made grey or RGB, resized and
 * divided by 255 as the model reads them. Bytes of the model's own shape are divided by 255, other numbers of the
 * model's own shape (a single channel may be left out) are taken as they are. Labels are `[N]` or `[N, 1]`.
 * @throws BedsideError E_FILE, E_DATA for a malformed archive, E_DATA_FIT for shapes or labels that do not fit
 */
export async function readNpzDataset(path: string, options: DatasetOptions): Promise<Dataset> {
  return npzDataset(await readFileChecked(path, 'dataset'), path, options);
}

/** The same from the archive's bytes; `name` is for error messages. */
export async function npzDataset(bytes: Uint8Array, name: string, options: DatasetOptions): Promise<Dataset> {
  const parts = readParts(bytes, name, options.split);
  const labels = joinLabels(parts, options, name);
  const writers: { readonly write: SampleWriter; readonly index: number }[] = [];
  for (const part of parts) {
    const write = sampleWriter(part.images, options.sampleShape, `${part.imagesName} in ${name}`);
    for (let index = 0; index < (part.images.shape[0] ?? 0); index++) writers.push({ write, index });
  }
  const chosen = selectIndices(writers.length, labels, options, name);

  const size = options.sampleShape.reduce((product, axis) => product * axis, 1);
  const samples = allocateSamples(chosen.length, size, name);
  for (const [to, from] of chosen.entries()) {
    const { write, index } = must(writers[from], 'a sample for each index');
    await write(index, samples, to * size);
    if ((to + 1) % 1000 === 0 || to + 1 === chosen.length) options.onProgress?.(to + 1, chosen.length);
  }
  const chosenLabels = labels && chosen.map((i) => labels[i] ?? 0);
  return {
    kind: 'npz',
    name,
    size: chosen.length,
    sampleShape: [...options.sampleShape],
    samples,
    labels: chosenLabels,
    classNames: numberedClasses(options.classes),
    origins: undefined,
    skipped: [],
    hash: hashSamples(samples, chosenLabels),
  };
}

function readParts(bytes: Uint8Array, name: string, split: Split): Part[] {
  const names = npzNames(bytes, name);
  const pairs = SPLITS[split]
    .map((part): [string, string] => [`${part}_images`, `${part}_labels`])
    .filter(([images]) => names.includes(images));
  if (pairs.length === 0 && names.includes('x')) pairs.push(['x', 'y']);
  if (pairs.length === 0) {
    const wanted = SPLITS[split].map((part) => `${part}_images`).join(', ');
    throw new BedsideError('E_DATA', `${name} has neither ${wanted} nor x`, {
      hint: `its arrays are ${names.slice(0, 20).join(', ') || 'none'}; choose another --split or rename them`,
    });
  }
  const wanted = new Set(pairs.flat());
  const arrays = decodeNpz(bytes, name, { only: (array) => wanted.has(array) });
  return pairs.map(([imagesName, labelsName]) => ({
    images: must(arrays.get(imagesName), 'an array that the archive lists'),
    labels: arrays.get(labelsName),
    imagesName,
    labelsName,
  }));
}

function joinLabels(parts: readonly Part[], options: DatasetOptions, name: string): Int32Array | undefined {
  const labelled = parts.filter((part) => part.labels);
  if (labelled.length === 0) return undefined;
  const missing = parts.find((part) => !part.labels);
  if (missing)
    throw new BedsideError('E_DATA', `${name} has ${missing.imagesName} but no ${missing.labelsName}`);
  const labels = Int32Array.from(parts.flatMap((part) => readLabels(part, options, name)));
  const highest = labels.reduce((most, label) => Math.max(most, label), 0);
  if (labels.length > 0 && !options.classFilter) assertLabelsOf(options, highest, name);
  return labels;
}

function readLabels(part: Part, options: DatasetOptions, name: string): number[] {
  const array = must(part.labels, 'labels');
  const count = part.images.shape[0] ?? 0;
  const { shape } = array;
  if (!(shape.length === 1 || (shape.length === 2 && shape[1] === 1))) {
    throw new BedsideError(
      'E_DATA',
      `${part.labelsName} in ${name}: expected [N] or [N, 1], got ${formatShape(shape)}`,
      {
        hint: 'one class per sample is needed; several labels a sample are not read',
      },
    );
  }
  if (shape[0] !== count) {
    throw new BedsideError(
      'E_DATA',
      `${name} has ${count} ${part.imagesName} and ${shape[0]} ${part.labelsName}`,
    );
  }
  const labels = Array.from<number | bigint, number>(array.data as ArrayLike<number | bigint>, Number);
  if (labels.some((label) => !Number.isInteger(label) || label < 0)) {
    throw new BedsideError('E_DATA', `${part.labelsName} in ${name}: a label is not a whole number from 0`);
  }
  const highest = labels.reduce((most, label) => Math.max(most, label), 0);
  if (highest >= options.classes) throw classMisfit(options, `label ${highest}`, name);
  return labels;
}

function sampleWriter(array: NpyArray, sampleShape: readonly number[], name: string): SampleWriter {
  const [, ...inner] = array.shape;
  const size = sampleShape.reduce((product, axis) => product * axis, 1);
  const same = formatShape(inner) === formatShape(sampleShape);
  const channelLeftOut = sampleShape[0] === 1 && formatShape([1, ...inner]) === formatShape(sampleShape);
  if (array.shape.length > 1 && (same || channelLeftOut)) {
    return plainWriter(array, size, array.dtype === 'uint8' && sampleShape.length === 3 ? 1 / 255 : 1, name);
  }
  const [height, width, channels = 1] = inner;
  const isImage =
    array.dtype === 'uint8' &&
    (inner.length === 2 || inner.length === 3) &&
    (channels === 1 || channels === 3);
  if (!isImage || !height || !width)
    throw shapeMisfit(sampleShape, `${array.dtype} ${formatShape(inner)}`, name);
  const shape = imageShape(sampleShape, name);
  const stride = height * width * channels;
  const { data } = array;
  return (index, samples, start) => {
    const pixels = data.subarray(index * stride, (index + 1) * stride);
    return writeSample({ data: pixels, width, height, channels }, shape, samples, start);
  };
}

function plainWriter(array: NpyArray, size: number, scale: number, name: string): SampleWriter {
  const { data } = array;
  return (index, samples, start) => {
    for (let i = 0; i < size; i++) {
      // Rounded to float32 first: a double may be too large for it.
      const value = Math.fround(Number(data[index * size + i]) * scale);
      if (!Number.isFinite(value)) {
        throw new BedsideError(
          'E_DATA',
          `${name}: sample ${index} has a value that is not a finite number in float32`,
          {
            hint: 'remove the sample, fill its gaps, or scale values that are beyond 3.4e38',
          },
        );
      }
      samples[start + i] = value;
    }
  };
}
