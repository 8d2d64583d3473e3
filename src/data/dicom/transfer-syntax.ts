// Transfer syntaxes (DICOM PS3.5, annex A): how an object's elements and its pixels are encoded.

/** What decodes the pixels of a frame. */
export type Compression = 'none' | 'rle' | 'jpeg' | 'jpeg-lossless' | 'jpeg-ls' | 'jpeg-2000' | 'htj2k';

const PREFIX = '1.2.840.10008.1.2';

/** Objects without compression of their pixels. */
export const DEFLATED = `${PREFIX}.1.99`;
export const BIG_ENDIAN = `${PREFIX}.2`;

const SYNTAXES: Readonly<Record<string, Compression>> = {
  [PREFIX]: 'none',
  [`${PREFIX}.1`]: 'none',
  [DEFLATED]: 'none',
  [BIG_ENDIAN]: 'none',
  [`${PREFIX}.5`]: 'rle',
  [`${PREFIX}.4.50`]: 'jpeg',
  [`${PREFIX}.4.51`]: 'jpeg',
  // Retired, and still in archives: spectral selection and full progression.
  [`${PREFIX}.4.53`]: 'jpeg',
  [`${PREFIX}.4.55`]: 'jpeg',
  [`${PREFIX}.4.57`]: 'jpeg-lossless',
  [`${PREFIX}.4.70`]: 'jpeg-lossless',
  [`${PREFIX}.4.80`]: 'jpeg-ls',
  [`${PREFIX}.4.81`]: 'jpeg-ls',
  [`${PREFIX}.4.90`]: 'jpeg-2000',
  [`${PREFIX}.4.91`]: 'jpeg-2000',
  [`${PREFIX}.4.201`]: 'htj2k',
  [`${PREFIX}.4.202`]: 'htj2k',
  [`${PREFIX}.4.203`]: 'htj2k',
};

/** How a transfer syntax compresses pixels; undefined for one that is not read (video, JPIP, other retired ones). */
export function compressionOf(syntax: string): Compression | undefined {
  return Object.hasOwn(SYNTAXES, syntax) ? SYNTAXES[syntax] : undefined;
}
