// A heat map as a secondary capture in the study of the image that it explains, with what it is not for burnt into its pixels.
import { BedsideError } from '../../util/index.ts';
import { referenceTo } from './content.ts';
import { type Attributes, writeDicom } from './file.ts';
import { dotsOf, LETTER } from './font.ts';
import { type AnsweredImage, type DicomObject, dicomTime, equipment, label } from './report.ts';
import { uidOf } from './uid.ts';

/** Burnt into every heat map. */
export const NOT_FOR_USE = 'NOT FOR CLINICAL USE';

/** A picture of three bytes a pixel: red, green, blue, row after row. */
export interface RgbPicture {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** Pictures are enlarged to at least this width, so that the text in them can be read. */
const LEAST_WIDTH = 384;
/** Rows and columns of a DICOM image are 16-bit numbers. */
const MOST_SIDE = 4096;
const MARGIN = 6;
/** Longer lines end in three dots. */
const MOST_LETTERS = 240;

/**
 * A heat map as a DICOM object.
 * @param picture what is shown
 * @param said lines beside the warning, such as what was explained
 * @throws BedsideError E_DATA for a picture that is empty, too large, or not of its size; E_UNSUPPORTED where dcmjs is not installed
 */
export async function heatMapCapture(
  { result, source, frame }: AnsweredImage,
  picture: RgbPicture,
  said: readonly string[],
): Promise<DicomObject> {
  const { width, height, rgb } = withText(picture, [NOT_FOR_USE, ...said]);
  const instanceUid = uidOf(result.id, 'heat map');
  const { date, time } = dicomTime(result.issued);
  const attributes: Attributes = {
    ...source.shared,
    ...{ SOPClassUID: '1.2.840.10008.5.1.4.1.1.7', SOPInstanceUID: instanceUid, Modality: 'OT' },
    ...{ SeriesInstanceUID: uidOf(result.id, 'heat map series'), SeriesNumber: '9002', InstanceNumber: '1' },
    SeriesDescription: `Heat map of ${label(result.by.bundle.name, 30)}, ${NOT_FOR_USE}`,
    ...equipment(result),
    ...{ ConversionType: 'WSD', ImageType: ['DERIVED', 'SECONDARY'] },
    ...{ SecondaryCaptureDeviceManufacturer: 'bedside', PatientOrientation: '' },
    // Of which side is not known here; demanded, if empty.
    Laterality: '',
    ...{ SeriesDate: date, SeriesTime: time, ContentDate: date, ContentTime: time },
    DerivationDescription:
      'Relevance of each pixel for the answer of a network, over the image that the network read',
    SourceImageSequence: [referenceTo(source, frame)],
    // No name, number or date is in the pixels.
    BurnedInAnnotation: 'NO',
    ImageComments: `${NOT_FOR_USE}. Preliminary: an algorithm made it, and no clinician has confirmed it.`,
    ...{ SamplesPerPixel: 3, PhotometricInterpretation: 'RGB', PlanarConfiguration: 0 },
    ...{ Rows: height, Columns: width, BitsAllocated: 8, BitsStored: 8, HighBit: 7, PixelRepresentation: 0 },
    _vrMap: { PixelData: 'OB' },
    PixelData: rgb.buffer,
  };
  return { instanceUid, bytes: await writeDicom(attributes) };
}

/** The picture, enlarged by a whole number, above lines of text on black. @throws BedsideError E_DATA */
export function withText(
  { width, height, rgb }: RgbPicture,
  lines: readonly string[],
): RgbPicture & { rgb: Uint8Array<ArrayBuffer> } {
  if (
    !(width > 0 && height > 0 && width <= MOST_SIDE && height <= MOST_SIDE) ||
    rgb.length !== 3 * width * height
  ) {
    throw new BedsideError('E_DATA', `a heat map of ${width} by ${height} pixels cannot be written`, {
      hint: `sides from 1 to ${MOST_SIDE}`,
    });
  }
  const zoom = Math.ceil(LEAST_WIDTH / width);
  const wide = zoom * width;
  // The warning fills the width as far as whole dots allow, at most four pixels a dot.
  const scale = Math.max(1, Math.min(4, Math.floor((wide - 2 * MARGIN) / dotsOf(NOT_FOR_USE).width)));
  const step = (LETTER.height + 3) * scale;
  const wrapped = lines.flatMap((line) => wrappedTo(line, Math.floor((wide - 2 * MARGIN) / scale)));
  const tall = zoom * height + 2 * MARGIN + wrapped.length * step;
  // An even length, which DICOM asks for; the last byte is padding.
  const out = new Uint8Array(2 * Math.ceil((3 * wide * tall) / 2));
  for (let y = 0; y < zoom * height; y++) {
    for (let x = 0; x < wide; x++) {
      const from = 3 * (Math.floor(y / zoom) * width + Math.floor(x / zoom));
      out.set(rgb.subarray(from, from + 3), 3 * (y * wide + x));
    }
  }
  for (const [line, text] of wrapped.entries()) {
    const { dots } = dotsOf(text);
    const top = zoom * height + MARGIN + line * step;
    for (let y = 0; y < LETTER.height * scale; y++) {
      for (let x = 0; x < wide - 2 * MARGIN; x++) {
        if (!dots[Math.floor(y / scale)]?.[Math.floor(x / scale)]) continue;
        out.fill(255, 3 * ((top + y) * wide + MARGIN + x), 3 * ((top + y) * wide + MARGIN + x) + 3);
      }
    }
  }
  return { width: wide, height: tall, rgb: out };
}

/** A text as lines of at most so many dots, between words where that is possible. */
function wrappedTo(text: string, dots: number): string[] {
  const fits = (own: string): boolean => own.length * LETTER.advance - 1 <= dots;
  const lines: string[] = [];
  let line = '';
  const add = (more: string): void => {
    if (line !== '' && !fits(line + more)) {
      lines.push(line.trimEnd());
      line = more.trimStart();
    } else line += more;
  };
  const shown = text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS)}...` : text;
  for (const word of shown.split(/(?= )/)) {
    // A word that is longer than a line is broken where it ends.
    if (fits(word.trimStart())) add(word);
    else for (const letter of word) add(letter);
  }
  return [...lines, line.trimEnd()];
}
