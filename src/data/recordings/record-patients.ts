// Whose a record is.
import { BedsideError } from '../../util/index.ts';
import { FileFinder, listBeside } from '../labels/list.ts';
import { PATIENT_FOLDER } from '../labels/patient-folder.ts';
import type { PassedOverCount } from '../passed-over.ts';

/** Records 201 and 202 of the MIT-BIH Arrhythmia Database are of one man (its directory says so). */
const SAME: Readonly<Record<string, string>> = { '202': '201' };
const MITDB = { rate: 360, frames: 650000 };

/**
 * The patient of a record: the innermost folder above it that is called after one, else the record itself.
 * @param record its path in the folder of the data
 */
export function patientOf(
  record: string,
  { rate, frames }: { readonly rate: number; readonly frames: number },
): string {
  const folder = folderPatient(record);
  if (folder !== undefined) return folder;
  const isMitdb = rate === MITDB.rate && frames === MITDB.frames;
  return (isMitdb && SAME[record]) || record;
}

/** The innermost folder above a record that is called after a patient. */
export function folderPatient(record: string): string | undefined {
  const folders = record.split(/[/\\]/).slice(0, -1);
  const folder = folders.findLastIndex((name) => PATIENT_FOLDER.test(name));
  return folder < 0 ? undefined : folders.slice(0, folder + 1).join('/');
}

/** What a list says of a record. */
export interface ListedRecord {
  readonly patient: string | undefined;
  readonly label: string | undefined;
  readonly split: 'local' | 'test' | 'val' | undefined;
}

/**
 * What a list beside records says of them (a CSV of `record`, `patient`, `label` and `split`): by the record's path, with
 * or without an ending, or by its name alone where only one record has it.
 * @throws BedsideError E_FILE for a list that cannot be read; E_DATA where it says two things of a record
 */
export async function listedRecords(
  folder: string,
  records: readonly string[],
  passedOver: PassedOverCount,
): Promise<Map<string, ListedRecord>> {
  const list = await listBeside(folder);
  const found = new Map<string, ListedRecord>();
  if (!list) return found;
  const finder = new FileFinder(records);
  const hasLabels = list.labelColumns.length === 1;
  for (const { file, patient, labels, split } of list.files) {
    const record = finder.find(file);
    if (record === undefined) {
      passedOver.add(`records that ${list.path} names and the data does not hold`, file);
      continue;
    }
    const label = hasLabels && labels[0] !== '' ? labels[0] : undefined;
    const known = found.get(record);
    if (known && (known.patient !== patient || known.label !== label || known.split !== split)) {
      throw new BedsideError('E_DATA', `${list.path} names ${record} twice, and differently`, {
        hint: 'leave one row for each record',
      });
    }
    found.set(record, { patient, label, split });
  }
  return found;
}
