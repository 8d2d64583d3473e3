// Volumes of NIfTI as samples of networks that read three dimensions, [channels, depth, height, width]: slices are prepared
// as images are, then resampled along the depth.
import { join } from 'node:path';
import { BedsideError, messageOf, must } from '../../util/index.ts';
import { availableMemory, RegularFile } from '../../util/internal.ts';
import type { Dataset, DatasetOptions } from '../dataset.ts';
import { absentClasses, allocateSamples, formatShape, shapeMisfit } from '../fit.ts';
import { hashSamples } from '../hash.ts';
import { ShownCount } from '../images/frames.ts';
import { type LabelledImages, labelledImages } from '../images/labels.ts';
import { medicalName } from '../images/medical-name.ts';
import { MAX_PIXELS } from '../images/pixels.ts';
import { shownImage } from '../images/shown-values.ts';
import { type ImageTarget, imageTarget, writeImage } from '../images/steps.ts';
import { PassedOverCount } from '../passed-over.ts';
import { chooseSamples } from '../sampling/patients.ts';
import { targetsAt } from '../sampling/sampling.ts';
import { NiftiVolume } from './volume.ts';

const LYING =
  'volumes lie as [depth, height, width]: slices from feet to head, rows to the back, columns to the left of the patient';

/** A volume of a file, which has one for each time. */
interface Place {
  readonly path: string;
  readonly row: number;
  readonly time: number;
  readonly times: number;
}

/**
 * Reads volumes of a folder, a list or a file as `readImages` does slices: one sample for each file and time.
 * @throws BedsideError E_DATA_FIT for a network that reads no such volumes; E_DATA for a damaged file (left out with
 *   `skipBad`), or where there is none; E_CONTRACT
 */
export async function readVolumes(path: string, options: DatasetOptions): Promise<Dataset> {
  const passedOver = new PassedOverCount();
  const [channels = 0, depth = 0, ...plane] = options.sampleShape;
  if (!(channels === 1 || channels === 3) || depth < 1) {
    throw shapeMisfit(options.sampleShape, 'volumes, [1 or 3, depth, height, width]', path);
  }
  const target = imageTarget([channels, ...plane], { layout: 'NCHW', ...options.contract?.image }, path);
  const list = await labelledImages(path, options, passedOver);
  const skipped: { path: string; reason: string }[] = [];
  const places = await placesOf(list, options, { skipped, passedOver });
  if (places.length === 0) {
    throw new BedsideError('E_DATA', `there are no volumes of NIfTI in ${path}`, {
      hint: `the network reads ${formatShape(options.sampleShape)}: give files of .nii or .nii.gz`,
    });
  }
  const rows = places.map(({ row }) => row);
  const labelsOf =
    list.labels && Int32Array.from(rows, (row) => must(list.labels?.[row], 'a label for each file'));
  const targets = list.targets && targetsAt(list.targets, list.paths.length, rows);
  const patients = rows.map((row) => list.patients?.[row] ?? must(list.paths[row], 'a path for each row'));
  const all = { size: places.length, labels: labelsOf, targets, patients };
  const indices = chooseSamples(all, options, path);
  const size = options.sampleShape.reduce((product, length) => product * length, 1);
  const samples = allocateSamples(indices.length, size, path);
  const shown = new ShownCount();
  const kept: number[] = [];
  for (const [done, index] of indices.entries()) {
    const place = must(places[index], 'a volume for each index');
    const to = samples.subarray(kept.length * size, (kept.length + 1) * size);
    const read = await unlessBad(join(list.root, place.path), options, (volume) =>
      writeVolume(
        volume,
        place.time,
        { target, depth, shown, maxPixels: options.maxPixels ?? MAX_PIXELS },
        to,
      ),
    );
    if (read === undefined) kept.push(index);
    else skipped.push({ path: place.path, reason: read.reason });
    options.onProgress?.(done + 1, indices.length);
  }
  if (kept.length === 0) {
    throw new BedsideError(
      'E_DATA',
      `none of the ${indices.length} volumes chosen in ${list.root} can be read`,
      {
        hint: `the first one: ${skipped[0]?.path}: ${skipped[0]?.reason}`,
      },
    );
  }
  const used = kept.length === indices.length ? samples : samples.slice(0, kept.length * size);
  const labels = labelsOf && Int32Array.from(kept, (i) => labelsOf[i] ?? -1);
  const given = targets && targetsAt(targets, places.length, kept);
  return {
    ...{
      kind: 'nifti',
      name: path,
      size: kept.length,
      sampleShape: [...options.sampleShape],
      samples: used,
      labels,
    },
    ...(given && { targets: given }),
    ...(list.patients && { patients: kept.map((i) => patients[i] ?? '') }),
    ...(options.splitBy && { splitBy: options.splitBy }),
    classNames: list.classNames,
    origins: kept.map((i) => originOf(must(places[i], 'a volume for each index'))),
    skipped,
    passedOver: [...passedOver.list(), ...list.leftOut],
    remarks: [
      ...target.remarks,
      ...shown.remarks(path),
      ...list.remarks,
      LYING,
      ...absentClasses(labelsOf, list.classNames, options.classFilter, path),
    ],
    hash: hashSamples(used, labels, given),
  };
}

/** The volumes of listed files: one for each time. */
async function placesOf(
  { root, paths }: LabelledImages,
  options: DatasetOptions,
  {
    skipped,
    passedOver,
  }: { readonly skipped: { path: string; reason: string }[]; readonly passedOver: PassedOverCount },
): Promise<Place[]> {
  const places: Place[] = [];
  for (const [row, path] of paths.entries()) {
    if (medicalName(path.split(/[/\\]/).at(-1) ?? '') !== 'nifti') {
      passedOver.add('files that are no volumes of NIfTI', path);
      continue;
    }
    const times = await unlessBad(join(root, path), options, async (volume) => volume.frames / volume.depth);
    if (typeof times === 'number') {
      for (let time = 0; time < times; time++) places.push({ path, row, time, times });
    } else skipped.push({ path, reason: times.reason });
  }
  return places;
}

function originOf({ path, time, times }: Place): string {
  return times > 1 ? `${path}#${time + 1}` : path;
}

/** What is done with a volume; where it is damaged and such files are left out, the reason. */
async function unlessBad<T>(
  path: string,
  options: DatasetOptions,
  use: (volume: NiftiVolume) => Promise<T>,
): Promise<T | { readonly reason: string }> {
  const file = await RegularFile.open(path, 'image');
  try {
    return await use(await NiftiVolume.open(file, path));
  } catch (cause) {
    if (BedsideError.is(cause) && cause.code !== 'E_FILE') throw cause;
    if (options.skipBad) return { reason: messageOf(cause) };
    throw new BedsideError('E_DATA', `cannot read volume ${path}: ${messageOf(cause)}`, {
      hint: 'replace or remove the file, or leave such files out with --skip-bad',
      cause,
    });
  } finally {
    await file.close();
  }
}

interface VolumeSteps {
  readonly target: ImageTarget;
  /** Slices that the network reads. */
  readonly depth: number;
  readonly shown: ShownCount;
  readonly maxPixels: number;
}

/** Writes one time of a volume as `[channels, depth, height, width]`. @throws Error, saying what is wrong */
async function writeVolume(
  volume: NiftiVolume,
  time: number,
  { target, depth, shown, maxPixels }: VolumeSteps,
  to: Float32Array,
): Promise<undefined> {
  const { channels, height, width } = target;
  const plane = height * width;
  const many = volume.depth;
  if (volume.width * volume.height > maxPixels)
    throw new Error(
      `${volume.width} x ${volume.height} pixels are more than the ${maxPixels} allowed (--max-pixels)`,
    );
  if (4 * many * channels * plane > availableMemory() / 2) throw new Error('memory does not hold its slices');
  const slices = new Float32Array(many * channels * plane);
  for (let z = 0; z < many; z++) {
    const frame = volume.frame(time * many + z);
    const { pixels, contract, by } = shownImage(frame, target.contract);
    if (z === 0) shown.add(by, frame);
    await writeImage(pixels, { ...target, contract }, slices, z * channels * plane);
  }
  for (let d = 0; d < depth; d++) {
    for (const [z, weight] of weightsAt(d, depth, many)) {
      for (let c = 0; c < channels; c++) {
        const [from, at] = [(z * channels + c) * plane, (c * depth + d) * plane];
        for (let i = 0; i < plane; i++) to[at + i] = (to[at + i] ?? 0) + weight * (slices[from + i] ?? 0);
      }
    }
  }
  return undefined;
}

/**
 * The slices of which one of the network's is made: linear between the middles of slices, and where there are more slices
 * than the network reads, a mean that is as wide as that makes necessary.
 */
export function weightsAt(
  place: number,
  depth: number,
  slices: number,
): readonly (readonly [slice: number, weight: number])[] {
  const ratio = slices / depth;
  const reach = Math.max(1, ratio);
  const middle = Math.min(slices - 1, Math.max(0, (place + 0.5) * ratio - 0.5));
  const found: [number, number][] = [];
  for (let z = Math.max(0, Math.ceil(middle - reach)); z <= Math.min(slices - 1, middle + reach); z++) {
    const weight = 1 - Math.abs(z - middle) / reach;
    if (weight > 1e-9) found.push([z, weight]);
  }
  const sum = found.reduce((total, [, weight]) => total + weight, 0);
  return found.map(([z, weight]) => [z, weight / sum]);
}
