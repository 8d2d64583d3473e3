// Images of a list as frames of their files: a picture is one, DICOM and NIfTI may have many.
import { join } from 'node:path';
import { BedsideError, messageOf } from '../../util/index.ts';
import type { DatasetKind, DatasetOptions } from '../dataset.ts';
import { chooseSeries } from '../dicom/series.ts';
import type { PassedOverCount } from '../passed-over.ts';
import { targetsAt } from '../sampling/sampling.ts';
import type { LabelledImages } from './labels.ts';
import { isMedical, type MedicalFiles } from './medical-images.ts';
import { medicalName } from './medical-name.ts';
import type { MedicalFrame, ShownBy } from './shown-values.ts';

/** A picture, or a frame of a file that has some. */
export interface FramedImage {
  readonly path: string;
  /** From 0; undefined for a picture. */
  readonly frame?: number | undefined;
  /** Whether the file has others. */
  readonly isOneOfMany?: boolean;
}

/** Frames with what they should give. */
export interface FramedImages extends LabelledImages {
  /** As long as `labels`; `paths` are those of their files. */
  readonly images: readonly FramedImage[];
  readonly kind: DatasetKind;
  /** Files that were left out as `skipBad` says. */
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
}

/** How an image is called: `scan.dcm`, or `scan.dcm#3` for the third frame of several. */
export function originOf({ path, frame, isOneOfMany }: FramedImage): string {
  return isOneOfMany && frame !== undefined ? `${path}#${frame + 1}` : path;
}

/**
 * The frames of listed files. Objects of DICOM without an image, and those of series that were not asked for, are counted.
 * @throws BedsideError E_DATA for a file that cannot be read, unless such files are skipped, or where none is left
 */
export async function withFrames(
  list: LabelledImages,
  files: MedicalFiles,
  options: DatasetOptions,
  passedOver: PassedOverCount,
): Promise<FramedImages> {
  if (!list.paths.some((path) => medicalName(path.split(/[/\\]/).at(-1) ?? '') !== undefined)) {
    const images = list.paths.map((path) => ({ path }));
    return { ...list, images, kind: 'images', unreadable: [] };
  }
  const series = await chooseSeries(list.root, list.paths, options, passedOver);
  const images: FramedImage[] = [];
  const rows: number[] = [];
  const unreadable: { path: string; reason: string }[] = [];
  for (const [row, path] of list.paths.entries()) {
    const name = path.split(/[/\\]/).at(-1) ?? '';
    if (series.isPassedOver(path)) continue;
    if (!(await isMedical(join(list.root, path), name))) {
      images.push({ path });
      rows.push(row);
      continue;
    }
    const count = await files.count(join(list.root, path)).catch((cause: unknown) => {
      const reason = reasonOf(cause, join(list.root, path));
      if (!options.skipBad) throw reason;
      unreadable.push({ path, reason: messageOf(cause) });
      return 0;
    });
    for (let frame = 0; frame < count; frame++) {
      if (frame !== (options.frame ?? frame)) continue;
      images.push({ path, frame, isOneOfMany: count > 1 });
      rows.push(row);
    }
  }
  if (images.length === 0 && options.frame !== undefined) {
    throw new BedsideError('E_DATA', `${list.root} has no frame ${options.frame + 1}`, {
      hint: 'ask for a frame that the file has',
    });
  }
  if (images.length === 0) {
    const left = passedOver.list().map(({ reason, count }) => `${count} ${reason}`);
    throw new BedsideError(
      'E_DATA',
      `no image of ${list.root} is left to read: ${left.join('; ') || 'it is empty'}`,
      {
        hint: options.series
          ? 'ask for a series that is there (--series), or leave it out'
          : 'choose other data',
      },
    );
  }
  const said = list.patients ?? series.patientsOf(images.map(({ path }) => path));
  return {
    ...list,
    paths: images.map(({ path }) => path),
    labels: list.labels && Int32Array.from(rows, (row) => list.labels?.[row] ?? -1),
    targets: list.targets && targetsAt(list.targets, list.paths.length, rows),
    patients: list.patients ? rows.map((row) => list.patients?.[row] ?? '') : said,
    images,
    kind: series.isDicom ? 'dicom' : images.some(({ frame }) => frame !== undefined) ? 'nifti' : 'images',
    unreadable,
    remarks: [...list.remarks, ...series.remarks],
  };
}

function reasonOf(cause: unknown, path: string): BedsideError {
  if (BedsideError.is(cause) && cause.code !== 'E_FILE') return cause;
  return new BedsideError('E_DATA', `cannot read image ${path}: ${messageOf(cause)}`, {
    hint: 'replace or remove the file, or leave such files out with --skip-bad',
    cause,
  });
}

const TOLD: Readonly<Record<Exclude<ShownBy, 'colour'>, string>> = {
  contract: 'the window that was asked for',
  values: 'their values, as the contract scales them',
  window: 'the window that each file says',
  table: 'the table of grey that each file says',
  range: 'the full range of their values, as nothing says a window',
};

/** Counts how grey was made, and what does not say how it lies, to say it. */
export class ShownCount {
  readonly #counts = new Map<ShownBy, number>();

  #unoriented = 0;
  #withHoles = 0;

  add(by: ShownBy, { isUnoriented, hasHoles }: Pick<MedicalFrame, 'isUnoriented' | 'hasHoles'> = {}): void {
    this.#counts.set(by, (this.#counts.get(by) ?? 0) + 1);
    if (isUnoriented) this.#unoriented++;
    if (hasHoles) this.#withHoles++;
  }

  remarks(name: string): string[] {
    const grey = [...this.#counts].flatMap(([by, count]) =>
      by === 'colour' ? [] : [`${TOLD[by]} (${count})`],
    );
    const remarks = grey.length === 0 ? [] : [`grey of images of ${name} is from ${grey.sort().join('; ')}`];
    if (this.#withHoles > 0) {
      remarks.push(
        `${this.#withHoles} slices or volumes of ${name} have voxels that are no numbers: the lowest value stands in their place`,
      );
    }
    if (this.#unoriented > 0) {
      remarks.push(
        `${this.#unoriented} slices or volumes of ${name} do not say how they lie (no sform or qform): their axes were taken as ` +
          'right, anterior, superior, so left and right, or feet and head, may have changed places',
      );
    }
    return remarks;
  }
}
