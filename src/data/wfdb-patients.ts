// Whose a record is.
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
