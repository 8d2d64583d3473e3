// Annotations of EDF+ and BDF+ (time-stamped annotation lists): `+onset`, perhaps 0x15 and a duration, 0x14, texts that
// end with 0x14 each, and a zero byte. The first list of a data record says when the record begins.
import { wrong } from './header.ts';

/** An annotation. Its text is whatever people write: it may name a patient. */
export interface EdfAnnotation {
  /** Seconds from the first sample of the file; may be negative. */
  readonly time: number;
  /** How long it lasts, where that is said. */
  readonly seconds: number | undefined;
  readonly text: string;
}

/** What the annotation signals of a data record hold. */
export interface RecordAnnotations {
  /** Seconds at which the record begins, by the clock of the file; undefined where it does not say it. */
  readonly onset: number | undefined;
  /** By the clock of the file. */
  readonly annotations: readonly EdfAnnotation[];
}

const END_OF_TEXT = 0x14;
const DURATION = 0x15;
const ONSET = /^[+-](?:\d+(?:\.\d*)?|\.\d+)$/;
const SECONDS = /^(?:\d+(?:\.\d*)?|\.\d+)$/;
const MOST_DIGITS = 24;
const UTF8 = new TextDecoder();

/**
 * Reads the lists of a data record.
 * @param parts the bytes of each annotation signal, the one that keeps the time first
 * @param record its number from 1, for error messages
 * @throws BedsideError E_DATA for a malformed list
 */
export function parseRecordAnnotations(
  parts: readonly Uint8Array[],
  record: number,
  name: string,
): RecordAnnotations {
  const annotations: EdfAnnotation[] = [];
  let onset: number | undefined;
  for (const [part, bytes] of parts.entries()) {
    let at = 0;
    for (let list = 0; at < bytes.length && bytes[at] !== 0; list++) {
      const end = bytes.indexOf(0, at);
      if (end < 0) throw malformed(name, record);
      const { time, seconds, texts } = parseList(bytes.subarray(at, end), record, name);
      const isKeeper = part === 0 && list === 0;
      if (isKeeper && texts[0] === '') onset = time;
      for (const text of texts) if (text !== '') annotations.push({ time, seconds, text });
      at = end + 1;
    }
  }
  return { onset, annotations };
}

function parseList(
  bytes: Uint8Array,
  record: number,
  name: string,
): { readonly time: number; readonly seconds: number | undefined; readonly texts: readonly string[] } {
  const first = bytes.indexOf(END_OF_TEXT);
  if (first < 0 || bytes.at(-1) !== END_OF_TEXT) throw malformed(name, record);
  const stamp = Buffer.from(bytes.subarray(0, first)).toString('latin1');
  const [onset = '', duration, ...more] = stamp.split(String.fromCharCode(DURATION));
  const isStamp = onset.length <= MOST_DIGITS && ONSET.test(onset);
  const isDuration = duration === undefined || (duration.length <= MOST_DIGITS && SECONDS.test(duration));
  if (!isStamp || !isDuration || more.length > 0) throw malformed(name, record);
  const texts: string[] = [];
  for (let at = first + 1; at < bytes.length; ) {
    const end = bytes.indexOf(END_OF_TEXT, at);
    texts.push(UTF8.decode(bytes.subarray(at, end)));
    at = end + 1;
  }
  return { time: Number(onset), seconds: duration === undefined ? undefined : Number(duration), texts };
}

function malformed(name: string, record: number): Error {
  return wrong(name, `the annotations of data record ${record} are malformed`);
}
