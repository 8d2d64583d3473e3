// Entropy-coded data of JPEG: bits, and Huffman codes (ITU-T T.81, annex F.2.2).

/** A Huffman table as F.2.2.3 decodes by it: by length the largest code, and where its values begin. */
export interface Huffman {
  readonly largest: Int32Array;
  readonly offset: Int32Array;
  readonly values: Uint8Array;
}

export const damaged = (): Error => new Error('its compressed frame is damaged');

/** Adds the tables of a segment, by class (0 DC, 16 AC) and number. @throws Error for a damaged segment */
export function readHuffman(segment: Uint8Array, to: Map<number, Huffman>): void {
  for (let at = 0; at < segment.length; ) {
    const counts = segment.subarray(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (counts.length < 16 || at + 17 + total > segment.length || total > 256) throw damaged();
    const [largest, offset] = [new Int32Array(17).fill(-1), new Int32Array(17)];
    let [code, before] = [0, 0];
    for (let length = 1; length <= 16; length++, code *= 2) {
      const count = counts[length - 1] ?? 0;
      offset[length] = before - code;
      code += count;
      before += count;
      if (code > 2 ** length) throw damaged();
      if (count > 0) largest[length] = code - 1;
    }
    to.set(segment[at] ?? 0, { largest, offset, values: segment.slice(at + 17, at + 17 + total) });
    at += 17 + total;
  }
}

/** Bits of a scan, without the zero behind each byte of ones. */
export class Bits {
  readonly #data: Uint8Array;
  #at: number;
  #held = 0;
  #count = 0;

  /** @param at where the scan's data begin */
  constructor(data: Uint8Array, at: number) {
    this.#data = data;
    this.#at = at;
  }

  /** Where the next marker stands, or the end of the data. */
  next(): number {
    let at = this.#at;
    while (at + 1 < this.#data.length) {
      const second = this.#data[at + 1] ?? 0;
      if (this.#data[at] === 0xff && second !== 0 && second !== 0xff && !(second >= 0xd0 && second <= 0xd7))
        break;
      at++;
    }
    return at;
  }

  bit(): number {
    if (this.#count === 0) {
      const byte = this.#data[this.#at++];
      // A marker within a block, or the end of the data.
      if (byte === undefined || (byte === 0xff && this.#data[this.#at++] !== 0)) throw damaged();
      [this.#held, this.#count] = [byte, 8];
    }
    return (this.#held >> --this.#count) & 1;
  }

  /** A number without sign, of so many bits. */
  bits(size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value = 2 * value + this.bit();
    return value;
  }

  /** The value of the next code. */
  code({ largest, offset, values }: Huffman): number {
    let code = 0;
    for (let length = 1; length <= 16; length++) {
      code = 2 * code + this.bit();
      if (code <= (largest[length] ?? -1)) return values[code + (offset[length] ?? 0)] ?? 0;
    }
    throw damaged();
  }

  /** A number of so many bits, those below half of the range negative (F.2.2.1). */
  signed(size: number): number {
    if (size > 15) throw damaged();
    const value = this.bits(size);
    return size > 0 && value < 2 ** (size - 1) ? value - 2 ** size + 1 : value;
  }

  /** Goes over a restart marker of this number. */
  restart(number: number): void {
    this.#count = 0;
    while (this.#data[this.#at] === 0xff && this.#data[this.#at + 1] === 0xff) this.#at++;
    if (this.#data[this.#at] !== 0xff || this.#data[this.#at + 1] !== 0xd0 + number) throw damaged();
    this.#at += 2;
  }
}
