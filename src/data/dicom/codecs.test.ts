// Pixels of every transfer syntax against DCMTK, GDCM and pydicom, on files that these tools write.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../util/internal.ts';
import { memorySource } from '../archive/byte-source.ts';
import { dicomFile, encapsulated, imageElements } from '../test-support/dicom-file.ts';
import { DicomImage } from './image.ts';

const PYTHON = '/usr/bin/python3';

/** Writes base objects, has tools convert them, and has pydicom say the numbers of what they decode back. */
const SCRIPT = String.raw`
import json, os, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np, pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
os.chdir(sys.argv[1])
rng = np.random.RandomState(5)
H, W = 37, 29
y, x = np.mgrid[0:H, 0:W]
smooth = (y * 3 + x * 5 + 20 * np.sin(x / 3.0)) % 256
def make(name, array, photometric='MONOCHROME2', stored=None, signed=False, planar=None, frames=None, **more):
    ds = Dataset(); meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = '1.2.840.10008.5.1.4.1.1.7'; meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta = meta; ds.is_little_endian = True; ds.is_implicit_VR = False
    ds.SOPClassUID = meta.MediaStorageSOPClassUID; ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID = generate_uid(); ds.SeriesInstanceUID = generate_uid(); ds.Modality = 'OT'
    ds.ConversionType = 'WSD'; ds.PatientName = 'NAME^TEST'; ds.PatientID = 'X'; ds.StudyDate = '20260131'; ds.StudyTime = '120000'
    bits = array.dtype.itemsize * 8
    ds.Rows, ds.Columns = H, W
    ds.SamplesPerPixel = 3 if photometric == 'RGB' else 1
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated = bits; ds.BitsStored = stored or bits; ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = 1 if signed else 0
    if planar is not None: ds.PlanarConfiguration = planar
    if frames: ds.NumberOfFrames = frames
    for key, value in more.items(): setattr(ds, key, value)
    data = array.tobytes()
    ds.PixelData = data + b'\0' * (len(data) % 2)
    ds.save_as(name + '.dcm', write_like_original=False)
make('g8', smooth.astype(np.uint8))
make('g12', (smooth * 16 + rng.randint(0, 16, (H, W))).astype(np.uint16), stored=12)
make('g16', rng.randint(0, 65536, (H, W)).astype(np.uint16))
make('s16', rng.randint(-32768, 32768, (H, W)).astype(np.int16), signed=True)
make('s12', (smooth * 16 - 2048).astype(np.int16), stored=12, signed=True)
rgb = np.stack([smooth, 255 - smooth, (smooth * 2) % 256], -1).astype(np.uint8)
make('rgb', rgb, 'RGB', planar=0)
make('planes', np.ascontiguousarray(rgb.transpose(2, 0, 1)), 'RGB', planar=1)
make('frames', (np.stack([smooth, smooth + 1000, smooth + 3000])).astype(np.uint16), stored=12, frames=3)
make('m1', smooth.astype(np.uint8), 'MONOCHROME1')
make('odd12', np.clip(2048 + 2047 * np.sin(x * y / 40.0) + rng.randint(-900, 900, (H, W)), 0, 4095).astype(np.uint16), stored=12)
make('rgb12', (rgb * 16.0 + 5).astype(np.uint16), 'RGB', stored=12, planar=0)
ramp = np.arange(256, dtype=np.uint16)
make('palette', smooth.astype(np.uint8), 'PALETTE COLOR',
  RedPaletteColorLookupTableDescriptor=[256, 0, 16], GreenPaletteColorLookupTableDescriptor=[256, 0, 16], BluePaletteColorLookupTableDescriptor=[256, 0, 16],
  RedPaletteColorLookupTableData=(ramp * 257).tobytes(), GreenPaletteColorLookupTableData=((255 - ramp) * 257).tobytes(), BluePaletteColorLookupTableData=(ramp * 128).tobytes())
GREY = ['g8', 'g12', 'g16', 's16', 's12', 'frames', 'm1']
COLOUR = ['rgb', 'planes']
ALL = GREY + COLOUR + ['palette']
jobs = []
LONG = len(sys.argv) > 2
# One object of each conversion finds a codec that is called wrongly; all kinds of pixels go through all of them in test:long.
def convert(syntax, names, encode, decode, lossy=0):
    for name in names if LONG or not encode else names[-1:]: jobs.append((syntax, name, encode, decode, lossy))
convert('native', ALL, None, None)
convert('implicit', ['g12', 'rgb', 'frames', 'palette'], ['dcmconv', '+ti'], None)
convert('big-endian', ['g8', 'g12', 's16', 'rgb', 'palette'], ['dcmconv', '+tb'], None)
convert('deflated', ['g12', 'planes'], ['dcmconv', '+td'], None)
convert('rle', ['g8', 'g12', 's16', 'planes', 'frames', 'palette'], ['dcmcrle'], ['dcmdrle'])
convert('rle-gdcm', ['g16', 's12'], ['gdcmconv', '--rle'], ['dcmdrle'])
convert('jpeg-lossless', ['g8', 'g12', 'g16', 's16', 'rgb', 'frames'], ['dcmcjpeg', '+el'], ['dcmdjpeg'])
convert('jpeg-lossless-1', ['m1', 's12', 'palette'], ['dcmcjpeg', '+e1'], ['dcmdjpeg'])
convert('jpeg-lossless-gdcm', ['g16', 'planes'], ['gdcmconv', '--jpeg'], ['dcmdjpeg'])
convert('jpeg-baseline', ['g8', 'm1'], ['dcmcjpeg', '+eb', '+q', '95'], ['dcmdjpeg'], 2)
convert('jpeg-baseline', COLOUR, ['dcmcjpeg', '+eb', '+q', '95', '+s4'], ['dcmdjpeg', '+cp'], 4)
convert('jpeg-baseline-rgb', ['rgb'], ['dcmcjpeg', '+eb', '+q', '95', '+cr'], ['dcmdjpeg', '+cn'], 3)
convert('jpeg-extended-8', ['g8'], ['dcmcjpeg', '+ee', '+q', '95'], ['dcmdjpeg'], 2)
convert('jpeg-extended-12', ['g12', 'frames', 'odd12'], ['dcmcjpeg', '+ee', '+q', '90'], ['dcmdjpeg'], 1)
convert('jpeg-spectral-12', ['g12', 'odd12'], ['dcmcjpeg', '+es', '+q', '90'], ['dcmdjpeg'], 1)
convert('jpeg-progressive-12', ['g12', 'frames', 'odd12'], ['dcmcjpeg', '+ep', '+q', '90'], ['dcmdjpeg'], 1)
convert('jpeg-progressive-8', ['g8'], ['dcmcjpeg', '+ep', '+q', '95'], ['dcmdjpeg'], 2)
convert('jpeg-extended-12-rgb', ['rgb12'], ['dcmcjpeg', '+ee', '+q', '90', '+cr'], ['dcmdjpeg', '+cn'], 1)
convert('jpeg-progressive-12-rgb', ['rgb12'], ['dcmcjpeg', '+ep', '+q', '90', '+cr'], ['dcmdjpeg', '+cn'], 1)
convert('jpeg-extended-12-ycc', ['rgb12'], ['dcmcjpeg', '+ee', '+q', '90'], ['dcmdjpeg', '+cn'], 3)
convert('jpeg-ls', ['g8', 'g12', 's16', 'rgb', 'frames'], ['dcmcjpls', '+el'], ['dcmdjpls'])
convert('jpeg-ls-near', ['g8', 'g12'], ['dcmcjpls', '+en', '+md', '3'], ['dcmdjpls'])
convert('jpeg-ls-gdcm', ['s12', 'planes'], ['gdcmconv', '--jpegls'], ['dcmdjpls'])
convert('jpeg-2000', ['g8', 'g12', 'g16', 's16', 's12', 'planes', 'frames'], ['gdcmconv', '--j2k'], ['gdcmconv', '--raw'])
convert('jpeg-2000-lossy', ['g8', 'g12', 'rgb'], ['gdcmconv', '--j2k', '--lossy', '-q', '20'], ['gdcmconv', '--raw'], 1)
told = []
def run(job):
    syntax, name, encode, decode, lossy = job
    path = syntax + '-' + name + '.dcm'
    own = name + '.dcm'
    try:
        if encode: subprocess.run(encode + [own, path], check=True, capture_output=True)
        else: path = own
        back = path if decode or not encode else own
        if decode:
            back = 'back-' + path
            subprocess.run(decode + [path, back], check=True, capture_output=True)
        ds = pydicom.dcmread(back)
        uid = str(pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID)
        array = ds.pixel_array
        if name == 'palette': array = pydicom.pixel_data_handlers.util.apply_color_lut(array, ds)
        if str(ds.PhotometricInterpretation).startswith('YBR') and ds.BitsStored == 12:
            a, b, c = (array[..., i].astype(float) - (2048 if i else 0) for i in range(3))
            array = np.clip(np.rint(np.stack([a + 1.402 * c, a - 0.344136 * b - 0.714136 * c, a + 1.772 * b], -1)), 0, 4095)
        elif str(ds.PhotometricInterpretation).startswith('YBR'):
            array = pydicom.pixel_data_handlers.util.convert_color_space(array, ds.PhotometricInterpretation, 'RGB')
        array.astype('<i4').tofile(path + '.raw')
        told.append(dict(syntax=syntax, name=name, path=path, uid=uid, lossy=lossy))
    except subprocess.CalledProcessError as e:
        told.append(dict(syntax=syntax, name=name, path=path, uid='', lossy=0, failed=' '.join(encode or []) + ': ' + e.stderr.decode('utf8', 'replace')[:200]))
with ThreadPoolExecutor(4) as pool: list(pool.map(run, jobs))
json.dump(told, open('told.json', 'w'))
`;

interface Told {
  readonly syntax: string;
  readonly name: string;
  readonly path: string;
  readonly uid: string;
  readonly lossy: number;
  readonly failed?: string;
}

const hasTools = ((): boolean => {
  try {
    execFileSync(PYTHON, ['-c', 'import pydicom, gdcm'], { stdio: 'ignore' });
    for (const tool of ['dcmcjpeg', 'dcmcjpls', 'dcmcrle', 'gdcmconv'])
      execFileSync(tool, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
if (!hasTools)
  console.log('skipped: no DCMTK, GDCM and pydicom (dcmtk, libgdcm-tools, python3-pydicom) to compare with');

/** All frames one after the other. */
async function valuesOf(bytes: Uint8Array): Promise<number[]> {
  const image = await DicomImage.open(memorySource(bytes));
  const all: number[] = [];
  for (let i = 0; i < image.facts.frames; i++)
    for (const value of (await image.frame(i)).values) all.push(value);
  return all;
}

describe.skipIf(!hasTools)('pixels of a transfer syntax', () => {
  let folder = '';
  let told: readonly Told[] = [];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dicom-'));
    await writeFile(join(folder, 'make.py'), SCRIPT);
    const more = process.env.BEDSIDE_LONG === undefined ? [] : ['long'];
    execFileSync(PYTHON, [join(folder, 'make.py'), folder, ...more], { stdio: 'inherit' });
    told = JSON.parse(await readFile(join(folder, 'told.json'), 'utf8')) as Told[];
  }, 60_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('are those that the tools decode', async () => {
    const wrong: string[] = [];
    for (const { syntax, name, path, lossy, uid, failed } of told) {
      if (failed !== undefined) {
        wrong.push(`${syntax} ${name}: ${failed}`);
        continue;
      }
      const raw = await readFile(join(folder, `${path}.raw`));
      const expected = new Int32Array(raw.buffer, raw.byteOffset, raw.length / 4);
      try {
        const own = await valuesOf(await readFile(join(folder, path)));
        if (own.length !== expected.length)
          wrong.push(`${syntax} ${name}: ${own.length} of ${expected.length}`);
        const most = own.reduce(
          (worst, value, i) => Math.max(worst, Math.abs(value - (expected[i] ?? 0))),
          0,
        );
        if (most > lossy) wrong.push(`${syntax} ${name} (${uid}): off by ${most}`);
      } catch (error) {
        wrong.push(`${syntax} ${name} (${uid}): ${(error as Error).message}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(told.filter(({ syntax }) => /progressive|spectral/.test(syntax)).length).toBeGreaterThan(3);
    expect(new Set(told.map(({ uid }) => uid.replace('1.2.840.10008.1.2', ''))).size).toBeGreaterThanOrEqual(
      15,
    );
  });

  it('are refused soon where a stream of 12 bits is damaged', async () => {
    const random = new Random(3);
    const own = told.filter(({ syntax, failed }) => /-12/.test(syntax) && failed === undefined);
    let refused = 0;
    for (const { path } of own) {
      const whole = new Uint8Array(await readFile(join(folder, path)));
      const from = whole.findIndex((byte, i) => byte === 0xff && whole[i + 1] === 0xd8);
      for (let round = 0; round < 40; round++) {
        const bytes = Uint8Array.from(whole);
        for (let changes = 1 + random.integer(4); changes > 0; changes--)
          bytes[from + 2 + random.integer(bytes.length - from - 2)] = random.integer(256);
        await valuesOf(bytes).catch((error: Error) => {
          refused++;
          expect(error.message).toMatch(/^(its|it |JPEG of)/);
        });
      }
    }
    expect(refused).toBeGreaterThan(20);
  });
});

const hasOpenJpeg = ((): boolean => {
  const { stdout = '' } = spawnSync('opj_decompress', ['-h'], { encoding: 'utf8' });
  return Number(/library v2\.(\d+)/.exec(stdout)?.[1]) >= 5;
})();
if (!hasOpenJpeg) console.log('skipped: no OpenJPEG of 2.5 (libopenjp2-tools) to compare HTJ2K with');

/** What OpenJPEG decodes, which is another implementation of HTJ2K than OpenJPH. */
async function openJpegOf(
  stream: Uint8Array,
  {
    rows,
    columns,
    samples,
    bits,
    signed,
  }: Readonly<Record<'rows' | 'columns' | 'samples' | 'bits', number>> & { readonly signed: boolean },
): Promise<number[]> {
  const folder = await mkdtemp(join(tmpdir(), 'htj2k-'));
  try {
    await writeFile(join(folder, 'a.j2k'), stream);
    execFileSync('opj_decompress', ['-i', join(folder, 'a.j2k'), '-o', join(folder, 'a.rawl')], {
      stdio: 'pipe',
    });
    const bytes = new Uint8Array(await readFile(join(folder, 'a.rawl')));
    const size = rows * columns;
    const planes = bits === 8 ? bytes : signed ? new Int16Array(bytes.buffer) : new Uint16Array(bytes.buffer);
    return Array.from(
      { length: size * samples },
      (_, i) => planes[(i % samples) * size + Math.floor(i / samples)] ?? 0,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe('HTJ2K, which the tools cannot write', () => {
  interface Encoder {
    getDecodedBuffer(info: object): Uint8Array;
    encode(): void;
    getEncodedBuffer(): Uint8Array;
    setQuality(isReversible: boolean, quality: number): void;
    delete(): void;
  }

  it.each([
    ['grey of 16 bits', 1, 16, false],
    ['signed', 1, 16, true],
    ['colour', 3, 8, false],
  ] as const)(
    'gives what the encoder of OpenJPH took, and what OpenJPEG decodes: %s',
    async (_, samples, bits, signed) => {
      const { default: make } = (await import('@cornerstonejs/codec-openjph/wasmjs')) as unknown as {
        default: () => Promise<{ HTJ2KEncoder: new () => Encoder }>;
      };
      const { HTJ2KEncoder } = await make();
      const random = new Random(4);
      const [rows, columns] = [24, 31];
      const from = signed ? -(2 ** (bits - 1)) : 0;
      const values = Array.from({ length: rows * columns * samples }, () => from + random.integer(2 ** bits));
      const encoder = new HTJ2KEncoder();
      const info = {
        width: columns,
        height: rows,
        bitsPerSample: bits,
        componentCount: samples,
        isSigned: signed,
        isUsingColorTransform: samples === 3,
      };
      const own = bits === 8 ? Uint8Array.from(values) : new Uint8Array(Int16Array.from(values).buffer);
      encoder.getDecodedBuffer(info).set(own);
      encoder.setQuality(true, 0);
      encoder.encode();
      const stream = Uint8Array.from(encoder.getEncodedBuffer());
      encoder.delete();
      const photometric = samples === 3 ? 'YBR_RCT' : 'MONOCHROME2';
      const made = {
        rows,
        columns,
        samples,
        bitsAllocated: bits,
        signed,
        photometric,
        pixels: encapsulated([stream]),
      };
      const file = dicomFile(imageElements(made), '1.2.840.10008.1.2.4.201');
      expect(await valuesOf(file)).toEqual(values);
      if (hasOpenJpeg)
        expect(await openJpegOf(stream, { rows, columns, samples, bits, signed })).toEqual(values);
    },
  );
});
