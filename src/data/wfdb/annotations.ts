// MIT-format annotation files (`.atr`, annot(5) of the WFDB Application Guide): 16-bit words, 6 bits of code above 10
// bits of time since the annotation before.
import { BedsideError } from '../../util/index.ts';

export interface WfdbAnnotation {
  /** Frames since the record's start, or ticks when the file states its own time resolution. */
  readonly time: number;
  /** The annotation's mnemonic (`N`, `V`, `+`, ...), or the code's number in brackets where it has none. */
  readonly symbol: string;
  readonly subtype: number;
  readonly channel: number;
  readonly number: number;
  readonly aux: string | undefined;
}

// Codes 1 to 41 of ecgcodes.h; 15 and 17 are not assigned.
const SYMBOLS = [
  ...[
    '',
    'N',
    'L',
    'R',
    'a',
    'V',
    'F',
    'J',
    'A',
    'S',
    'E',
    'j',
    '/',
    'Q',
    '~',
    '',
    '|',
    '',
    's',
    'T',
    '*',
    'D',
  ],
  ...['"', '=', 'p', 'B', '^', 't', '+', 'u', '?', '!', '[', ']', 'e', 'n', '@', 'x', 'f', '(', ')', 'r'],
];
const SKIP = 59;
const NUM = 60;
const SUB = 61;
const CHN = 62;
const AUX = 63;
const LATIN1 = new TextDecoder('latin1');

/**
 * Reads all annotations up to the end mark.
 * @param name the record, for error messages
 * @throws BedsideError E_DATA when the file ends inside an annotation or before the end mark, or goes back before 0
 */
export function parseAnnotations(bytes: Uint8Array, name: string): WfdbAnnotation[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const annotations: WfdbAnnotation[] = [];
  let at = 0;
  const word = (): number => {
    if (at + 2 > bytes.length)
      throw wrong(name, `it ends without an end mark after ${annotations.length} annotations`);
    at += 2;
    return view.getUint16(at - 2, true);
  };
  let time = 0;
  // Channel and number hold until they are changed; the subtype and the text are for one annotation.
  let channel = 0;
  let number = 0;
  for (let head = word(); head !== 0; ) {
    if (head >> 10 === SKIP) {
      // A 32-bit interval, high word first, for the annotation that follows.
      time += ((word() << 16) | word()) >> 0;
      head = word();
      continue;
    }
    const code = head >> 10;
    if (code > SKIP)
      throw wrong(name, `a modifier stands where annotation ${annotations.length + 1} should begin`);
    time += head & 0x3ff;
    if (time < 0) throw wrong(name, `annotation ${annotations.length + 1} is before the record's start`);
    let subtype = 0;
    let aux: string | undefined;
    for (head = word(); head >> 10 > SKIP; head = word()) {
      const value = head & 0x3ff;
      const kind = head >> 10;
      if (kind === SUB) subtype = signed(value);
      else if (kind === CHN) channel = value & 0xff;
      else if (kind === NUM) number = signed(value);
      else if (kind === AUX) {
        if (at + value > bytes.length)
          throw wrong(name, `the text of annotation ${annotations.length + 1} is cut off`);
        aux = LATIN1.decode(bytes.subarray(at, at + value)).replace(/\0+$/, '');
        at += value + (value & 1);
      }
    }
    annotations.push({ time, symbol: SYMBOLS[code] || `[${code}]`, subtype, channel, number, aux });
  }
  return annotations;
}

/**
 * Ticks per second that the file itself states in its first annotation, or undefined when times are in frames.
 */
export function annotationResolution(annotations: readonly WfdbAnnotation[]): number | undefined {
  const match = /^## time resolution: ([\d.]+)$/.exec(annotations[0]?.aux ?? '');
  const resolution = Number(match?.[1]);
  return resolution > 0 ? resolution : undefined;
}

/** The low byte as a two's-complement number. */
function signed(value: number): number {
  return ((value & 0xff) << 24) >> 24;
}

function wrong(name: string, what: string): BedsideError {
  return new BedsideError('E_DATA', `cannot read the annotations of record ${name}: ${what}`, {
    hint: 'the file is damaged or not in MIT format; copy or download it again',
  });
}
