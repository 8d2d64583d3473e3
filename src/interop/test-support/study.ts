// A DICOM image of a test: a small picture of a synthetic patient, uncompressed.
import { type Attributes, writeDicom } from '../dicom/file.ts';
import { uidOf } from '../dicom/uid.ts';

/** What an instance of a test is. */
export interface StudyOptions {
  readonly study?: string;
  readonly instance?: string;
  readonly width?: number;
  readonly height?: number;
  readonly pixels?: Uint8Array;
  readonly more?: Attributes;
}

/** Marks that must be found nowhere but in the study itself. */
export const MARKS = {
  PatientName: 'NÄME^TEST',
  PatientID: 'MRN-TEST-4711',
  PatientBirthDate: '19010203',
  AccessionNumber: 'ACC-TEST-0815',
  ReferringPhysicianName: 'REFERRER^TEST',
  StudyDescription: 'FREE TEXT OF THE TEST',
} as const;

/** The bytes of an instance. */
export async function testInstance(options: StudyOptions = {}): Promise<Uint8Array> {
  const { study = 'study', instance = 'instance', width = 64, height = 64, more } = options;
  const pixels = options.pixels ?? Uint8Array.from({ length: width * height }, (_, i) => (i * 7) % 256);
  return await writeDicom({
    ...MARKS,
    ...{ PatientSex: 'O', StudyDate: '20260301', StudyTime: '101500', StudyID: 'S1', Modality: 'OT' },
    SOPClassUID: '1.2.840.10008.5.1.4.1.1.7',
    SOPInstanceUID: uidOf('test', study, instance),
    StudyInstanceUID: uidOf('test', study),
    SeriesInstanceUID: uidOf('test', study, 'series'),
    ...{ SeriesNumber: '1', InstanceNumber: '1', ConversionType: 'WSD', SeriesDescription: 'test images' },
    ...{ SamplesPerPixel: 1, PhotometricInterpretation: 'MONOCHROME2', Rows: height, Columns: width },
    ...{ BitsAllocated: 8, BitsStored: 8, HighBit: 7, PixelRepresentation: 0 },
    _vrMap: { PixelData: 'OW' },
    PixelData: pixels.buffer,
    ...more,
  });
}
