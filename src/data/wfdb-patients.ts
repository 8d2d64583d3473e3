// Whose a record is.
import { basename } from 'node:path';
import { listBeside } from './label-list.ts';
import { PATIENT_FOLDER } from './patient-folder.ts';

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
  const folders = record.split('/').slice(0, -1);
  const folder = folders.findLastIndex((name) => PATIENT_FOLDER.test(name));
  if (folder >= 0) return folders.slice(0, folder + 1).join('/');
  const isMitdb = rate === MITDB.rate && frames === MITDB.frames;
  return (isMitdb && SAME[record]) || record;
}

/**
 * The patients of records that a list beside them names (a CSV of `record` and `patient`): by the record's path, or by
 * its name alone where only one record has it.
 * @throws BedsideError E_FILE for a list that cannot be read
 */
export async function listedPatients(
  folder: string,
  records: readonly string[],
): Promise<Map<string, string>> {
  const list = await listBeside(folder);
  const known = new Set(records);
  const byName = new Map<string, string | undefined>();
  for (const record of records) {
    const name = basename(record);
    byName.set(name, byName.has(name) ? undefined : record);
  }
  const patients = new Map<string, string>();
  for (const { file, patient } of list?.files ?? []) {
    const record = known.has(file) ? file : byName.get(basename(file));
    if (record !== undefined && patient !== undefined) patients.set(record, patient);
  }
  return patients;
}
