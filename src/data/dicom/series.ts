// Which objects of DICOM are read: those with an image, of the series that was asked for. Nothing of what they say is
// repeated but their kind (CT, MR, SR, ...).
import { basename, join } from 'node:path';
import { BedsideError } from '../../util/index.ts';
import { RegularFile } from '../../util/internal.ts';
import type { DatasetOptions } from '../dataset.ts';
import { medicalName } from '../images/medical-name.ts';
import type { PassedOverCount } from '../passed-over.ts';
import { looksLikeDicom, parseObject, sharedBy, textOf } from './object.ts';
import type { SeriesChoice } from './series-choice.ts';

/** The objects that are read. */
export interface ChosenSeries {
  readonly isDicom: boolean;
  isPassedOver(path: string): boolean;
  /** The patient of each file, called after the first file of the same one; undefined where a file does not say it. */
  patientsOf(paths: readonly string[]): readonly string[] | undefined;
  readonly remarks: readonly string[];
}

interface Facts {
  readonly hasImage: boolean;
  readonly modality: string;
  readonly bodyPart: string;
  readonly description: string;
  readonly series: string;
  readonly patient: string | undefined;
}

/**
 * Looks at the headers of DICOM files.
 * @throws BedsideError E_USAGE for a choice of series where there is no DICOM
 */
export async function chooseSeries(
  root: string,
  paths: readonly string[],
  { series: choice }: DatasetOptions,
  passedOver: PassedOverCount,
): Promise<ChosenSeries> {
  const facts = new Map<string, Facts>();
  for (const path of paths) {
    const own = medicalName(basename(path)) === undefined ? undefined : await factsOf(join(root, path));
    if (own) facts.set(path, own);
  }
  if (choice && facts.size === 0) {
    throw new BedsideError('E_USAGE', `${root} has no series to choose from`, {
      hint: 'leave out --series: it is for objects of DICOM',
    });
  }
  const left = new Set<string>();
  for (const [path, own] of facts) {
    const reason = !own.hasImage
      ? `objects of DICOM without an image${plainCode(own.modality)}`
      : fits(own, choice)
        ? undefined
        : `images of other series than --series asks for${plainCode(own.modality)}`;
    if (reason === undefined) continue;
    left.add(path);
    passedOver.add(reason, path);
  }
  const read = [...facts].filter(([path]) => !left.has(path)).map(([, own]) => own);
  const kinds = [...new Set(read.map(({ modality }) => plainCode(modality).trim()))].filter(
    (kind) => kind !== '',
  );
  const many = new Set(read.map(({ series }) => series)).size;
  const remarks =
    !choice && kinds.length > 1
      ? [
          `images of ${many} series of several kinds are read together: ${kinds.sort().join(', ')} (--series chooses)`,
        ]
      : [];
  const first = new Map<string, string>();
  for (const [path, { patient }] of facts)
    if (patient !== undefined && !first.has(patient)) first.set(patient, path);
  const patientOf = (path: string): string | undefined => first.get(facts.get(path)?.patient ?? '');
  return {
    isDicom: facts.size > 0,
    isPassedOver: (path) => left.has(path),
    patientsOf: (of) => {
      const found = of.flatMap((path) => patientOf(path) ?? []);
      return found.length === of.length ? found : undefined;
    },
    remarks,
  };
}

/** Undefined for a file that is not DICOM, or damaged: whoever reads its pixels says so. */
async function factsOf(path: string): Promise<Facts | undefined> {
  const file = await RegularFile.open(path, 'image').catch(() => undefined);
  if (!file) return undefined;
  try {
    if (!looksLikeDicom(await file.read(0, Math.min(132, file.size)))) return undefined;
    const { elements, pixels } = await parseObject(file);
    return {
      hasImage: pixels !== undefined,
      modality: textOf(elements, 'x00080060') ?? '',
      bodyPart: textOf(elements, 'x00180015') ?? '',
      description: textOf(elements, 'x0008103e') ?? '',
      series: textOf(elements, 'x0020000e') ?? path,
      patient: sharedBy(elements),
    };
  } catch (error) {
    if (BedsideError.is(error)) throw error;
    return undefined;
  } finally {
    await file.close();
  }
}

function fits(facts: Facts, choice: SeriesChoice | undefined): boolean {
  const { modality, bodyPart, description } = choice ?? {};
  const same = (a: string, b: string | undefined): boolean =>
    b === undefined || a.toLowerCase() === b.toLowerCase();
  return (
    same(facts.modality, modality) &&
    same(facts.bodyPart, bodyPart) &&
    (description === undefined || facts.description.toLowerCase().includes(description.toLowerCase()))
  );
}

/** ` (CT)`: a code of the standard is no text of anybody's; what is no such code is not repeated. */
function plainCode(modality: string): string {
  return /^[A-Z]{2,8}$/.test(modality) && KNOWN.has(modality) ? ` (${modality})` : '';
}

/** Modalities of PS3.3, C.7.3.1.1.1, that are common; others are not named. */
const KNOWN = new Set(
  (
    'CR CT DX ECG EPS ES GM HD IO IVUS KO MG MR NM OCT OP OPT OPV OT PR PT PX REG RESP RF RTDOSE RTIMAGE RTPLAN ' +
    'RTRECORD RTSTRUCT RWV SC SEG SM SMR SR US VA XA XC'
  ).split(' '),
);
