// Files of DICOM and NIfTI by their names.
import { extname } from 'node:path';

/** Endings of DICOM; files without an ending, and with one of digits, are known by their mark. */
const DICOM_ENDINGS = ['.dcm', '.dicom', '.ima'];
const NIFTI = /\.(nii|nii\.gz|hdr|hdr\.gz)$/i;

/** The directory of DICOM media; it has the mark too, and is no image. */
export const DICOMDIR = 'DICOMDIR';

/** What a file is by its name; `marked` is one that its first bytes tell. */
export function medicalName(name: string): 'dicom' | 'nifti' | 'marked' | undefined {
  const ending = extname(name).toLowerCase();
  if (NIFTI.test(name)) return 'nifti';
  if (DICOM_ENDINGS.includes(ending)) return 'dicom';
  if (name.toUpperCase() === DICOMDIR) return undefined;
  return ending === '' || /^\.\d+$/.test(ending) ? 'marked' : undefined;
}
