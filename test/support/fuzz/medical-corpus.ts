// Valid files of EDF, DICOM and NIfTI to damage: one of each kind of encoding. Compressed frames are 12 x 10 pixels that
// DCMTK (JPEG, JPEG-LS, RLE) and GDCM (JPEG 2000) wrote.
import { gzipSync } from 'node:zlib';
import { ecgFile } from '../../../src/data/test-support/dicom-ecg.ts';
import { dicomFile, encapsulated, imageElements } from '../../../src/data/test-support/dicom-file.ts';
import { edfFile } from '../../../src/data/test-support/edf-file.ts';
import { niftiFile } from '../../../src/data/test-support/nifti-file.ts';

/** Names of files and their bytes. */
export type Corpus = Readonly<Record<string, Uint8Array>>;

const PREFIX = '1.2.840.10008.1.2';
const FRAMES: Readonly<Record<string, string>> = {
  [`${PREFIX}.4.50`]:
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYUGBIUFRT/wAALCAAKAAwBAREA/8QAFQABAQAAAAAAAAAAAAAAAAAACAf/xAAhEAAABAUFAAAAAAAAAAAAAAAAAgMHBhUiI0ElM1GRof/aAAgBAQAAPwApM23+xb4wGNC7f6Mjb8EdZtIliguMBjQukSTI0F6H///Z',
  [`${PREFIX}.4.51`]:
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYUGBIUFRT/wQALDAAKAAwBAREA/8QAFgABAQEAAAAAAAAAAAAAAAAACgsN/8QAKBAAAAQDBQkAAAAAAAAAAAAAAAUHCQEoRggMF1FjJSc1QUJSYdPj/9oACAEBAAA/AIrDctywuFyJ9tK/MIuQ65YW7oukTzpXxDTGlTNyN+2Xdly2pF00KV+gIuQ5v2y7h0XS2pFzoUryhoD/2Q==',
  [`${PREFIX}.4.70`]:
    '/9j/4AAQSkZJRgABAQAAAQABAAD/wwALCAAKAAwBAREA/8QAFgABAQEAAAAAAAAAAAAAAAAAAwcI/9oACAEBAAEAAM/u7u7u7u9Ud3d3d3d6o7u7u7u71TAzu7u7u75Td3d3d3d6o7u7u7u71R8DO7u7u75Td3d3d3d6o7u7u7u71R8DO7u7u7///9k=',
  [`${PREFIX}.4.80`]:
    '/9j/9wALCAAKAAwBAREA/9oACAEBAAAAAIFBQUtH/dp/xhmKR2Zmw2220kkZVVVSqqqqj/9v/0//T/9P/0D/2Q==',
  [`${PREFIX}.4.90`]:
    '/0//UQApAAAAAAAMAAAACgAAAAAAAAAAAAAADAAAAAoAAAAAAAAAAAABBwEB/1IADAAAAAEAAgQEAAH/XAAKQEBISFBISFD/ZAAqAAFDcmVhdGVkIGJ5IEdEQ00vT3BlbkpQRUcgdmVyc2lvbiAyLjUuMP+QAAoAAAAAADQAAf+T34BQBpXvnsnFvBbun8HzhIAiABWK/H8MF8D5AcB8IYAsX3swdIP/2QA=',
  [`${PREFIX}.5`]:
    'AQAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAsABw4VHCMqMTg/Rk0LVFtiaXB3foWMk5qhC6ivtr3Ey9LZ4Ofu9Qv8AwoRGB8mLTQ7QkkLUFdeZWxzeoGIj5adC6SrsrnAx87V3OPq8Qv4/wYNFBsiKTA3PkULTFNaYWhvdn2Ei5KZC6CnrrW8w8rR2N/m7Qv0+wIJEBceJSwzOkE=',
};

/** Recordings of EDF: continuous, with gaps, of 24 bits. */
export function edfCorpus(): Corpus {
  const samples = Array.from({ length: 1440 }, (_, i) => Math.sin(i / 20));
  const signals = [
    { label: 'ECG II', unit: 'mV', perRecord: 360, samples, physical: [-2, 2] as const },
    { label: 'SaO2', unit: '%', perRecord: 1, samples: [97, 96, 95, 94], physical: [0, 100] as const },
  ];
  const annotations = [
    { time: 1.5, text: 'N' },
    { time: 2.5, text: 'V' },
    { time: 1, seconds: 2, text: '(AFIB' },
  ];
  return {
    'plain.edf': edfFile({ signals }),
    'notes.edf': edfFile({ signals, annotations }),
    'gaps.edf': edfFile({ signals, annotations, onsets: [0, 1, 2, 7.5] }),
    'notes.bdf': edfFile({ signals, annotations, bits: 24 }),
  };
}

/** Objects of DICOM: grey, colours, frames, palettes, every compression, waveforms. */
export function dicomCorpus(): Corpus {
  const pixels = Array.from({ length: 120 }, (_, i) => (i * 7) % 256);
  const made = { rows: 10, columns: 12, bitsAllocated: 8, pixels } as const;
  const compressed = Object.entries(FRAMES).map(([syntax, frame]): [string, Uint8Array] => {
    // Extended JPEG is of 12 bits.
    const bits = syntax.endsWith('.51') ? { bitsAllocated: 16 as const, bitsStored: 12 } : { bitsStored: 8 };
    const own = { ...made, ...bits, pixels: encapsulated([Buffer.from(frame, 'base64')]) };
    return [`${syntax}.dcm`, dicomFile(imageElements(own), syntax)];
  });
  const ramp = new Uint8Array(Uint16Array.from({ length: 256 }, (_, i) => i * 257).buffer);
  const palette = ['1', '2', '3'].flatMap((n) => [
    [`0028110${n}`, 'US', [256, 0, 16]] as const,
    [`0028120${n}`, 'OW', ramp] as const,
  ]);
  const window = [
    ['00281050', 'DS', '100'],
    ['00281051', 'DS', '50'],
    ['00281052', 'DS', '-10'],
    ['00281053', 'DS', '2'],
  ] as const;
  const leads = ['I', 'II', 'V1'];
  const group = { rate: 500, leads, length: 400, unit: 'uV', sensitivity: 2.5, baseline: 0 };
  return {
    'grey.dcm': dicomFile(imageElements({ ...made, more: window })),
    'frames.dcm': dicomFile(
      imageElements({ ...made, frames: 2, pixels: [...pixels, ...pixels], bitsAllocated: 16 }),
    ),
    'colours.dcm': dicomFile(
      imageElements({ ...made, samples: 3, pixels: [...pixels, ...pixels, ...pixels] }),
    ),
    'palette.dcm': dicomFile(imageElements({ ...made, photometric: 'PALETTE COLOR', more: palette })),
    'ecg.dcm': ecgFile([group, { ...group, rate: 250 }]),
    ...Object.fromEntries(compressed),
  };
}

/** Volumes of NIfTI: plain, packed, of other types and orders of bytes. */
export function niftiCorpus(): Corpus {
  const values = Array.from({ length: 120 }, (_, i) => i);
  const made = { size: [6, 5, 4], values, ways: 'LPS', form: 'sform' } as const;
  return {
    'a.nii': niftiFile({ ...made, type: 'int16', slope: 2, intercept: 1 }),
    'b.nii': niftiFile({ ...made, type: 'float32', isBig: true, form: 'qform' }),
    'c.nii.gz': gzipSync(niftiFile({ ...made, type: 'uint8' })),
  };
}
