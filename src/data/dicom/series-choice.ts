// Which series of DICOM are read.

/** What a series may be chosen by; texts are compared in any capitals. */
export interface SeriesChoice {
  /** `CT`, `MR`, `DX`, ... */
  readonly modality?: string | undefined;
  /** `CHEST`, `HEAD`, ... */
  readonly bodyPart?: string | undefined;
  /** Text that the series' description holds. */
  readonly description?: string | undefined;
}
