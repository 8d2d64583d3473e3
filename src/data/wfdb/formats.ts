// Signal formats of WFDB (signal(5) of the WFDB Application Guide): where a file's sample stands, and what its bits
// mean. All are two's complement, little-endian unless said otherwise. The most negative number marks a missing sample.

/** How samples are stored. */
export interface SampleFormat {
  /** Bits of a sample in the file. */
  readonly bits: number;
  /** The number that stands for no sample; undefined where there is none. */
  readonly missing: number | undefined;
  /** Bytes of the first `samples` samples. */
  readonly bytes: (samples: number) => number;
  /** Sample `index` of what begins at `offset`. */
  readonly read: (content: Uint8Array, offset: number, index: number) => number;
  /** Whether samples are differences to the one before of the same signal. */
  readonly isDifference?: boolean;
}

/** Two's complement of so many bits. */
function signed(word: number, bits: number): number {
  return word >= 2 ** (bits - 1) ? word - 2 ** bits : word;
}

/** Whole bytes, low one first, or high one first. */
function whole(bytes: number, order: 'low' | 'high' = 'low', zero = 0): SampleFormat {
  const bits = 8 * bytes;
  return {
    bits,
    missing: -(2 ** (bits - 1)),
    bytes: (samples) => samples * bytes,
    read: (content, offset, index) => {
      const at = offset + index * bytes;
      let word = 0;
      for (let i = 0; i < bytes; i++) {
        word = word * 256 + (content[at + (order === 'high' ? i : bytes - 1 - i)] ?? 0);
      }
      // Offset binary has its zero in the middle.
      return zero > 0 ? word - zero : signed(word, bits);
    },
  };
}

/** 16 bits from two bytes. */
function pair(content: Uint8Array, at: number): number {
  return (content[at] ?? 0) | ((content[at + 1] ?? 0) << 8);
}

/** Three 10-bit samples in four bytes. */
function threeInFour(
  read: (first: number, second: number, place: number) => number,
  rest: number,
): SampleFormat {
  return {
    bits: 32 / 3,
    missing: -512,
    // One or two samples behind the last four bytes need two bytes, or those and `rest` more.
    bytes: (samples) => Math.floor(samples / 3) * 4 + [0, 2, 2 + rest][samples % 3]!,
    read: (content, offset, index) => {
      const at = offset + Math.floor(index / 3) * 4;
      return signed(read(pair(content, at), pair(content, at + 2), index % 3), 10);
    },
  };
}

export const SAMPLE_FORMATS = {
  8: { ...whole(1), missing: undefined, isDifference: true },
  16: whole(2),
  24: whole(3),
  32: whole(4),
  61: whole(2, 'high'),
  80: whole(1, 'low', 2 ** 7),
  160: whole(2, 'low', 2 ** 15),
  /** Two samples of 12 bits in three bytes; the middle byte holds the high bits of both. */
  212: {
    bits: 12,
    missing: -2048,
    bytes: (samples) => Math.ceil(samples * 1.5),
    read: (content, offset, index) => {
      const at = offset + (index >> 1) * 3;
      const middle = content[at + 1] ?? 0;
      const word =
        index & 1
          ? ((middle & 0xf0) << 4) | (content[at + 2] ?? 0)
          : ((middle & 0x0f) << 8) | (content[at] ?? 0);
      return signed(word, 12);
    },
  },
  /** Bits 1 to 10 of each byte pair are the first two samples; the third is in the five bits above them, low ones first. */
  310: threeInFour(
    (first, second, place) =>
      place === 2 ? (first >> 11) | ((second >> 11) << 5) : ((place === 0 ? first : second) >> 1) & 0x3ff,
    2,
  ),
  /** Ten bits after ten bits of a little-endian word of 32. */
  311: threeInFour(
    (first, second, place) =>
      place === 0
        ? first & 0x3ff
        : place === 1
          ? (first >> 10) | ((second & 0xf) << 6)
          : (second >> 4) & 0x3ff,
    1,
  ),
} as const satisfies Record<number, SampleFormat>;

/** Signal formats that are read. */
export type WfdbFormat = keyof typeof SAMPLE_FORMATS;

/** Whether a format is read. */
export function isWfdbFormat(code: number): code is WfdbFormat {
  return Object.hasOwn(SAMPLE_FORMATS, code);
}

/** Why a format is not read, after `signal format 508`. */
export function unreadFormat(code: number): string {
  if (code === 508 || code === 516 || code === 524) return 'is compressed with FLAC and not read';
  if (code === 0) return 'has no samples';
  return `is not one of ${Object.keys(SAMPLE_FORMATS).join(', ')}`;
}
