// DICOM files of attributes by name, written and read by dcmjs, which is loaded when it is asked for.
import { loadOptional } from '../../util/internal.ts';
import type { Dcmjs } from './dcmjs-api.ts';

/** Attributes by keyword, as dcmjs names them; sequences are lists of such objects. */
export type Attributes = Record<string, unknown>;

const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';
/** Of this software: derived from a UUID, so that no registered root is needed. */
const IMPLEMENTATION = '2.25.298734682740973847593420183746152034';

/** What DICOM reports need. @throws BedsideError E_UNSUPPORTED where dcmjs is not installed */
export async function loadDcmjs(): Promise<Dcmjs> {
  const { default: dcmjs } = await loadOptional('a DICOM report', () => import('dcmjs'));
  // It prints what is wrong with a file on the console otherwise, bytes of the file among it.
  for (const logger of [dcmjs.log, ...Object.values(dcmjs.log.getLoggers())]) logger.setLevel('silent');
  return dcmjs;
}

/** The bytes of a file (Part 10, explicit little endian) of these attributes; texts are in UTF-8. */
export async function writeDicom(attributes: Attributes): Promise<Uint8Array> {
  const { data } = await loadDcmjs();
  const text = (value: string): { vr: string; Value: string[] } => ({ vr: 'UI', Value: [value] });
  const dict = data.datasetToDict({ ...attributes, SpecificCharacterSet: 'ISO_IR 192', _meta: {} });
  dict.meta = {
    '00020001': { vr: 'OB', Value: [new Uint8Array([0, 1]).buffer] },
    '00020002': text(String(attributes.SOPClassUID)),
    '00020003': text(String(attributes.SOPInstanceUID)),
    '00020010': text(EXPLICIT_LITTLE_ENDIAN),
    '00020012': text(IMPLEMENTATION),
    '00020013': { vr: 'SH', Value: ['BEDSIDE'] },
  };
  return new Uint8Array(dict.write());
}
