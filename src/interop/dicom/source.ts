// The instance that an answer is of: the attributes that a report of the same study must repeat.
import { BedsideError } from '../../util/index.ts';
import { type Attributes, loadDcmjs } from './file.ts';
import { isUid } from './uid.ts';

/** Who made an object, in its attributes. */
export const MANUFACTURER = 'bedside';

/** An instance of an archive. */
export interface SourceInstance {
  readonly studyUid: string;
  readonly seriesUid: string;
  readonly instanceUid: string;
  readonly sopClass: string;
  readonly modality: string;
  /** How many images it has. */
  readonly frames: number;
  readonly bodyPart?: string | undefined;
  readonly seriesDescription?: string | undefined;
  /** The day on which the image was taken, in ISO 8601; undefined where it does not say. */
  readonly taken?: string | undefined;
  /** Whether bedside made it: a heat map, say. */
  readonly isOurs: boolean;
  /** Of the patient and the study. They go into objects of the same study, and nowhere else. */
  readonly shared: Attributes;
}

/** Attributes of the modules Patient, General Study and Patient Study that objects of one study share. */
const SHARED = [
  'PatientName',
  'PatientID',
  'IssuerOfPatientID',
  'PatientBirthDate',
  'PatientSex',
  'OtherPatientIDsSequence',
  'PatientAge',
  'PatientSize',
  'PatientWeight',
  'PatientIdentityRemoved',
  'DeidentificationMethod',
  'StudyInstanceUID',
  'StudyDate',
  'StudyTime',
  'StudyID',
  'StudyDescription',
  'AccessionNumber',
  'IssuerOfAccessionNumberSequence',
  'ReferringPhysicianName',
] as const;

/** Of type 2: there, if empty, in every object. */
const DEMANDED = [
  'PatientName',
  'PatientID',
  'PatientBirthDate',
  'PatientSex',
  'StudyDate',
  'StudyTime',
  'StudyID',
  'AccessionNumber',
  'ReferringPhysicianName',
] as const;

/**
 * Reads what a report of an instance needs.
 * @throws BedsideError E_DATA for what is no DICOM file, or has no identifiers; E_UNSUPPORTED where dcmjs is not installed.
 *   No message repeats what the file says
 */
export async function readSource(bytes: Uint8Array): Promise<SourceInstance> {
  const { data } = await loadDcmjs();
  let found: Attributes;
  try {
    const own = new Uint8Array(bytes);
    // Pixels come last, and are not needed: reading ends before them.
    const { dict } = data.DicomMessage.readFile(own.buffer, {
      untilTag: '7FE00010',
      includeUntilTagValue: false,
    });
    found = data.DicomMetaDictionary.naturalizeDataset(dict);
  } catch {
    // The cause may hold what the file says.
    throw new BedsideError('E_DATA', 'an instance of the study is no DICOM file that can be read');
  }
  const uid = (name: string): string => {
    const value = found[name];
    if (isUid(value)) return value;
    throw new BedsideError('E_DATA', `an instance of the study has no ${name}, or one that is no UID`);
  };
  const shared: Attributes = {};
  for (const name of SHARED) if (found[name] !== undefined) shared[name] = found[name];
  for (const name of DEMANDED) shared[name] ??= '';
  const text = (name: string): string | undefined => {
    const value = found[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  return {
    ...{ studyUid: uid('StudyInstanceUID'), seriesUid: uid('SeriesInstanceUID') },
    ...{ instanceUid: uid('SOPInstanceUID'), sopClass: uid('SOPClassUID') },
    modality: text('Modality') ?? 'OT',
    frames: framesOf(found.NumberOfFrames),
    bodyPart: text('BodyPartExamined'),
    seriesDescription: text('SeriesDescription'),
    taken: isoDate(text('AcquisitionDate') ?? text('ContentDate') ?? text('StudyDate')),
    isOurs: found.Manufacturer === MANUFACTURER,
    shared,
  };
}

/** One, unless it says that there are more; what is no number is told when the image is read. */
function framesOf(value: unknown): number {
  const frames = Number(value ?? 1);
  return Number.isInteger(frames) && frames > 1 ? frames : 1;
}

/** A date of DICOM in ISO 8601. Its time is left out, since no time zone is known. */
function isoDate(date: string | undefined): string | undefined {
  const parts = /^(\d{4})(\d{2})(\d{2})$/.exec(date ?? '');
  return parts ? `${parts[1]}-${parts[2]}-${parts[3]}` : undefined;
}
