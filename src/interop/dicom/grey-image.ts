// Pixels of an uncompressed grey image, as a picture that every reader of images takes (PGM).
import { BedsideError } from '../../util/index.ts';
import { type Attributes, loadDcmjs } from './file.ts';

const UNCOMPRESSED: ReadonlySet<unknown> = new Set(['1.2.840.10008.1.2', '1.2.840.10008.1.2.1']);

/**
 * The picture of an instance: its stored values, 0 as black, or as white where it says so.
 * @throws BedsideError E_UNSUPPORTED for compressed, coloured, signed or several frames; E_DATA for what is no image
 */
export async function greyImage(bytes: Uint8Array): Promise<Uint8Array> {
  const { data } = await loadDcmjs();
  let found: Attributes;
  let syntax: unknown;
  try {
    const { dict, meta } = data.DicomMessage.readFile(new Uint8Array(bytes).buffer);
    found = data.DicomMetaDictionary.naturalizeDataset(dict);
    syntax = (meta['00020010'] as { Value?: unknown[] } | undefined)?.Value?.[0];
  } catch {
    throw new BedsideError('E_DATA', 'an instance of the study is no DICOM file that can be read');
  }
  const unsupported = (what: string): never => {
    throw new BedsideError('E_UNSUPPORTED', `an image of the study is ${what}`, {
      hint: 'uncompressed grey images of one frame and unsigned values are read',
    });
  };
  if (!UNCOMPRESSED.has(syntax)) unsupported('compressed, or in another byte order');
  const { Rows: height, Columns: width, BitsAllocated: allocated, BitsStored: stored } = found;
  const { PhotometricInterpretation: meaning, SamplesPerPixel: samples, PixelRepresentation: signed } = found;
  if (samples !== 1 || (meaning !== 'MONOCHROME1' && meaning !== 'MONOCHROME2')) unsupported('not grey');
  if (signed !== 0) unsupported('of signed values');
  if (Number(found.NumberOfFrames ?? 1) !== 1) unsupported('one of several frames');
  const isNumber = [height, width, stored].every((own) => Number.isInteger(own) && (own as number) > 0);
  if (!isNumber || (allocated !== 8 && allocated !== 16) || (stored as number) > allocated)
    unsupported('of a kind that is not known');
  const pixels = new Uint8Array((found.PixelData as ArrayBuffer[] | undefined)?.[0] ?? new ArrayBuffer(0));
  const count = (width as number) * (height as number);
  const size = (allocated as number) / 8;
  if (pixels.length < count * size)
    throw new BedsideError('E_DATA', 'an image of the study has fewer pixels than it says');
  const white = 2 ** (stored as number) - 1;
  const head = Buffer.from(`P5\n${width} ${height}\n${white}\n`);
  // PGM has two bytes a pixel, the higher first, where white is above 255.
  const wide = white > 255;
  const out = Buffer.alloc(head.length + count * (wide ? 2 : 1));
  head.copy(out);
  const view = new DataView(pixels.buffer);
  for (let i = 0; i < count; i++) {
    const value = (size === 1 ? view.getUint8(i) : view.getUint16(2 * i, true)) & white;
    const grey = meaning === 'MONOCHROME1' ? white - value : value;
    if (wide) out.writeUInt16BE(grey, head.length + 2 * i);
    else out[head.length + i] = grey;
  }
  return out;
}
