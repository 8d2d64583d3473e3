// The part of dcmjs that writes and reads DICOM files; the package has no types of its own.

interface Logger {
  setLevel(level: string): void;
}

interface DicomDict {
  meta: Record<string, unknown>;
  dict: Record<string, unknown>;
  write(options?: object): ArrayBuffer;
}

/** What it exports. */
export interface Dcmjs {
  data: {
    DicomMessage: { readFile(bytes: ArrayBuffer, options?: object): DicomDict };
    DicomMetaDictionary: {
      naturalizeDataset(dict: Record<string, unknown>): Record<string, unknown>;
      denaturalizeDataset(dataset: Record<string, unknown>): Record<string, unknown>;
    };
    datasetToDict(dataset: Record<string, unknown>): DicomDict;
  };
  log: Logger & { getLoggers(): Record<string, Logger> };
}
