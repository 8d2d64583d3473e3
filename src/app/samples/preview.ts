// A few samples as a network reads them, as pictures in a folder with a page that shows them.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dataset } from '../../data/index.ts';
import type { Classifier } from '../../evaluate/internal.ts';
import { type PreviewedInput, previewPage, samplePicture } from '../../report/index.ts';
import { assertWritable, BedsideError, must, writeFileAtomic } from '../../util/index.ts';
import { rowRange } from '../../util/internal.ts';
import { drawnAs } from '../explain/drawn-as.ts';

/** What was written. */
export interface WrittenPreview {
  readonly folder: string;
  readonly index: string;
  readonly samples: number;
}

const PER_CLASS = 2;
const MOST = 24;

/**
 * @throws BedsideError E_OUTPUT for a folder that is a file or cannot be written
 */
export async function assertPreviewFolder(folder: string): Promise<void> {
  const info = await stat(folder).catch(() => undefined);
  if (info && !info.isDirectory()) {
    throw new BedsideError('E_OUTPUT', `cannot write a preview into ${folder}: it is a file`, {
      hint: 'name a folder; it is made if it is missing',
    });
  }
  await assertWritable(join(folder, 'index.html'));
}

/**
 * Writes the first two samples of each class, or of data without classes a few spread over all: one picture for each
 * input, with the label in its name.
 * @param name of the network
 * @throws BedsideError E_OUTPUT
 */
export async function writePreview(
  folder: string,
  dataset: Dataset,
  classifier: Classifier,
  name: string,
): Promise<WrittenPreview> {
  const digits = String(Math.max(0, dataset.size - 1)).length;
  const samples = [];
  for (const index of previewed(dataset)) {
    const label = labelOf(dataset, index);
    const number = String(index).padStart(digits, '0');
    const pictures = [];
    for (const { input, ...drawn } of inputsOf(dataset, classifier, index)) {
      const { ending, content, lowest, highest } = await samplePicture(drawn);
      const parts = [number, label, ...(input === undefined ? [] : [input])].map(plainName);
      const file = `${parts.join('-')}.${ending}`;
      await writeFileAtomic(join(folder, file), content);
      const shape = `[${drawn.shape.join(', ')}]`;
      const range = `${lowest.toPrecision(4)} to ${highest.toPrecision(4)}`;
      pictures.push({ file, caption: `${input === undefined ? '' : `${input} `}${shape}, ${range}` });
    }
    const origin = dataset.origins?.[index];
    samples.push({ label: `${number}: ${label}${origin === undefined ? '' : `, ${origin}`}`, pictures });
  }
  const index = join(folder, 'index.html');
  const lines = [
    `${samples.length} of ${dataset.size} samples of ${dataset.name}. The lowest number of a picture is black or at ` +
      'the bottom, the highest white or at the top.',
    ...(dataset.remarks ?? []),
  ];
  await writeFileAtomic(index, previewPage({ title: `What ${name} reads`, lines, samples }));
  return { folder, index, samples: samples.length };
}

/** Indices of the samples that are shown, ascending. */
function previewed({ size, labels }: Dataset): number[] {
  const all = Array.from({ length: size }, (_, i) => i);
  if (!labels) {
    const step = Math.max(1, Math.floor(size / 8));
    return all.filter((i) => i % step === 0).slice(0, 8);
  }
  const counts = new Map<number, number>();
  return all
    .filter((i) => {
      const label = must(labels[i], 'a label for each sample');
      counts.set(label, (counts.get(label) ?? 0) + 1);
      return (counts.get(label) ?? 0) <= PER_CLASS;
    })
    .slice(0, MOST);
}

/** The label of a sample in words. */
export function labelOf({ labels, targets, classNames, size }: Dataset, index: number): string {
  if (labels) return classNames[labels[index] ?? -1] ?? String(labels[index]);
  if (!targets) return 'unlabelled';
  const own = Array.from(rowRange(targets.data as Float32Array, size, index));
  if (targets.kind === 'mask')
    return `mask-${Math.round((own.filter((v) => v > 0).length / own.length) * 100)}-percent`;
  if (targets.kind === 'values')
    return own
      .slice(0, 3)
      .map((value) => value.toPrecision(4))
      .join('+');
  const there = own.flatMap((value, i) => (value > 0 ? [classNames[i] ?? String(i)] : []));
  return there.length === 0 ? 'none' : there.join('+');
}

/** Each input of a sample, with its name where there are several. */
function inputsOf(
  dataset: Dataset,
  { sampleShape, inputs, contract }: Classifier,
  index: number,
): (PreviewedInput & { readonly input?: string })[] {
  const row = rowRange(dataset.samples, dataset.size, index);
  if (!inputs)
    return [{ values: row, shape: sampleShape, ...drawnAs(isSignal(dataset), sampleShape, contract) }];
  let start = 0;
  return inputs.map(({ name, shape }) => {
    const size = shape.reduce((product, axis) => product * axis, 1);
    const values = row.subarray(start, start + size);
    start += size;
    return { input: name, values, shape, ...drawnAs(isSignal(dataset), shape, contract) };
  });
}

function isSignal({ kind, rate }: Dataset): boolean {
  return kind === 'synthetic' || rate !== undefined;
}

/** A name that every file system takes. */
function plainName(text: string): string {
  return text.replace(/[^A-Za-z0-9.+_-]+/g, '_').slice(0, 80) || '_';
}
