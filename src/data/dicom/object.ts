// A DICOM file up to its pixels: elements by dicom-parser, which reads all transfer syntaxes but the deflated one by itself.
// Nothing that names a patient or a study is given on.
import { createHmac, randomBytes } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';
import type { DataSet } from 'dicom-parser';
import { availableMemory, loadOptional } from '../../util/internal.ts';
import { type ByteSource, memorySource } from '../archive/byte-source.ts';
import { BIG_ENDIAN, DEFLATED } from './transfer-syntax.ts';

/** Where the mark `DICM` stands, behind the preamble. */
const MARK = 128;
/** So much is read first: most objects have their pixels behind less. */
const FIRST = 2 ** 18;
/** Elements before the pixels never take more; it bounds what hostile files make us keep. */
const MOST_ELEMENTS = 2 ** 26;
/** The most bytes that a deflated object may become. */
const MOST_INFLATED = 2 ** 30;
const PIXELS = 'x7fe00010';

/** A parsed object, and the bytes that its pixels are in. */
export interface DicomObject {
  readonly elements: DataSet;
  readonly syntax: string;
  readonly isBigEndian: boolean;
  /** The file, or what it inflates to. */
  readonly source: ByteSource;
  /** Where the pixels' value begins in `source`; undefined for an object without pixels. */
  readonly pixels:
    | { readonly start: number; readonly length: number | undefined; readonly vr: string }
    | undefined;
}

/** Whether a file has the mark of DICOM. */
export function looksLikeDicom(bytes: Uint8Array): boolean {
  return (
    bytes.length >= MARK + 4 && Buffer.from(bytes.subarray(MARK, MARK + 4)).toString('latin1') === 'DICM'
  );
}

/**
 * Parses a file up to its pixels.
 * @throws Error, saying what is wrong without any text of the file
 * @throws BedsideError E_UNSUPPORTED where dicom-parser is not installed
 */
export async function parseObject(source: ByteSource): Promise<DicomObject> {
  const parser = await loadOptional('reading DICOM', () => import('dicom-parser'));
  const head = await source.read(0, Math.min(FIRST, source.size));
  if (!looksLikeDicom(head)) throw new Error('it does not have the mark of DICOM (DICM) at byte 128');
  const parse = parser.parseDicom ?? (parser as unknown as { default: typeof parser }).default.parseDicom;
  let whole: ByteSource = source;
  const inflater = (bytes: Uint8Array, position: number): Uint8Array => {
    const maxOutputLength = Math.min(MOST_INFLATED, Math.floor(availableMemory() / 2));
    const inflated = inflateRawSync(bytes.subarray(position), { maxOutputLength });
    const all = Buffer.concat([bytes.subarray(0, position), inflated]);
    whole = memorySource(all);
    return all;
  };
  const attempt = (bytes: Uint8Array): DataSet => parse(bytes, { untilTag: PIXELS, inflater });
  const elements = await (async () => {
    try {
      const parsed = attempt(head);
      const isWhole = parsed.elements[PIXELS] !== undefined || source.size <= head.length;
      if (isWhole && parsed.string('x00020010') !== DEFLATED) return parsed;
    } catch (error) {
      if (source.size <= head.length && !isDeflatedHead(head)) throw told(error);
    }
    if (source.size > MOST_ELEMENTS && isDeflatedHead(head))
      throw new Error('it is deflated and larger than 64 MiB');
    try {
      return attempt(await source.read(0, Math.min(MOST_ELEMENTS, source.size)));
    } catch (error) {
      throw told(error);
    }
  })();
  const syntax = (elements.string('x00020010') ?? '').trim();
  const element = elements.elements[PIXELS];
  const isOpen = element?.hadUndefinedLength || element?.length === 0xffffffff;
  return {
    elements,
    syntax,
    isBigEndian: syntax === BIG_ENDIAN,
    source: whole,
    pixels: element && {
      start: element.dataOffset,
      length: isOpen ? undefined : element.length,
      vr: element.vr ?? 'OW',
    },
  };
}

/** Whether the file's first group says that the rest is deflated. */
function isDeflatedHead(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, 1024)).includes(DEFLATED);
}

/** What the parser or zlib says may hold text of the file, so it is not repeated. */
function told(error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ERR_BUFFER_TOO_LARGE')
    return new Error('it inflates to more than memory or the bound of 1 GiB allows');
  return new Error('its elements are malformed or cut off');
}

/** The first of a text's values, without spaces; undefined for none. */
export function textOf(elements: DataSet, tag: string): string | undefined {
  return (
    attempted(() => elements.string(tag))
      ?.split('\\')[0]
      ?.trim() || undefined
  );
}

/** A number that is written as text (DS, IS). */
export function numberOf(elements: DataSet, tag: string): number | undefined {
  const value = attempted(() => elements.floatString(tag));
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}

/** A whole number of two bytes, whatever the encoding says of its type. */
export function shortOf(elements: DataSet, tag: string, index = 0): number | undefined {
  return attempted(() => elements.uint16(tag, index));
}

/** The items of a sequence. */
export function itemsOf(elements: DataSet | undefined, tag: string): readonly DataSet[] {
  return (elements?.elements[tag]?.items ?? []).flatMap(({ dataSet }) => dataSet ?? []);
}

function attempted<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Made anew by each process and kept nowhere, so that no digest is known again. */
const KEY = randomBytes(32);

/** The same for objects of the same patient, and nothing that tells whom; undefined where the object does not say it. */
export function sharedBy(elements: DataSet): string | undefined {
  const own = [textOf(elements, 'x00100020'), textOf(elements, 'x00100021')].filter(
    (part) => part !== undefined,
  );
  return own.length === 0 ? undefined : createHmac('sha256', KEY).update(own.join('\n')).digest('hex');
}
