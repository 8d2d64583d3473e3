// Scans of JPEG by Huffman codes, sequential and progressive (ITU-T T.81, annexes F and G), into coefficients.
import { type Bits, damaged, type Huffman } from './jpeg-bits.ts';

/** A component of a frame. */
export interface Component {
  readonly id: number;
  /** Sampling factors. */
  readonly across: number;
  readonly down: number;
  /** Its quantisation table. */
  readonly table: number;
  /** Blocks that hold its samples, and those of whole units of interleaved scans. */
  readonly blocks: {
    readonly columns: number;
    readonly rows: number;
    readonly stride: number;
    readonly all: number;
  };
  /** 64 of each block, in the order of the stream. */
  readonly coefficients: Int16Array;
}

/** What a scan holds. */
export interface Scan {
  readonly components: readonly {
    readonly component: Component;
    readonly dc: Huffman | undefined;
    readonly ac: Huffman | undefined;
  }[];
  /** First and last coefficient. */
  readonly from: number;
  readonly to: number;
  /** Bits that came before (0: the first scan of these coefficients), and bits that come later. */
  readonly high: number;
  readonly low: number;
  readonly isProgressive: boolean;
  /** Units of an interleaved scan. */
  readonly units: { readonly columns: number; readonly rows: number };
  /** Units between restarts; 0: none. */
  readonly interval: number;
}

/** Decodes a scan. @throws Error for a damaged one */
export function decodeScan(bits: Bits, scan: Scan): void {
  const { components, units, interval } = scan;
  const [only] = components;
  const single = components.length === 1 ? only?.component : undefined;
  const { columns, rows } = single?.blocks ?? units;
  const decoders = components.map((own) => new BlockDecoder(bits, scan, own.dc, own.ac));
  for (let unit = 0; unit < columns * rows; unit++) {
    if (interval > 0 && unit > 0 && unit % interval === 0) {
      bits.restart((unit / interval - 1) % 8);
      for (const decoder of decoders) decoder.restart();
    }
    const [y, x] = [Math.floor(unit / columns), unit % columns];
    for (const [i, { component }] of components.entries()) {
      const { across, down, blocks, coefficients } = component;
      const decoder = decoders[i] as BlockDecoder;
      if (single) decoder.decode(coefficients, 64 * (y * blocks.stride + x));
      else
        for (let own = 0; own < across * down; own++) {
          const [row, column] = [y * down + Math.floor(own / across), x * across + (own % across)];
          decoder.decode(coefficients, 64 * (row * blocks.stride + column));
        }
    }
  }
}

/** Decodes blocks of one component. */
class BlockDecoder {
  readonly #bits: Bits;
  readonly #scan: Scan;
  readonly #dc: Huffman | undefined;
  readonly #ac: Huffman | undefined;
  #last = 0;
  /** Blocks that have nothing more. */
  #ended = 0;

  constructor(bits: Bits, scan: Scan, dc: Huffman | undefined, ac: Huffman | undefined) {
    this.#bits = bits;
    this.#scan = scan;
    const needsDc = scan.from === 0 && scan.high === 0;
    if ((needsDc && !dc) || (scan.to > 0 && !ac)) throw damaged();
    this.#dc = dc;
    this.#ac = ac;
  }

  restart(): void {
    this.#last = 0;
    this.#ended = 0;
  }

  decode(to: Int16Array, at: number): void {
    const { isProgressive, from, high, low } = this.#scan;
    if (from === 0) {
      if (high === 0) {
        this.#last += this.#bits.signed(this.#bits.code(this.#dc as Huffman));
        to[at] = this.#last * 2 ** low;
      } else if (this.#bits.bit() === 1) to[at] = (to[at] ?? 0) | (1 << low);
    }
    if (this.#scan.to === 0) return;
    if (isProgressive && high > 0) this.#refine(to, at);
    else this.#first(to, at);
  }

  /** The first bits of coefficients, and all of those of a sequential scan. */
  #first(coefficients: Int16Array, at: number): void {
    const { from, to, low, isProgressive } = this.#scan;
    if (this.#ended > 0) {
      this.#ended--;
      return;
    }
    for (let k = Math.max(1, from); k <= to; k++) {
      const symbol = this.#bits.code(this.#ac as Huffman);
      const [run, size] = [symbol >> 4, symbol & 15];
      if (size === 0 && run < 15) {
        if (isProgressive) this.#ended = 2 ** run - 1 + this.#bits.bits(run);
        else if (run > 0) throw damaged();
        return;
      }
      k += run;
      if (k > to) throw damaged();
      if (size > 0) coefficients[at + k] = this.#bits.signed(size) * 2 ** low;
    }
  }

  /** One bit more of each coefficient (G.1.2.3). */
  #refine(coefficients: Int16Array, at: number): void {
    const { from, to, low } = this.#scan;
    let k = from;
    if (this.#ended === 0) {
      for (; k <= to; k++) {
        const symbol = this.#bits.code(this.#ac as Huffman);
        const [run, size] = [symbol >> 4, symbol & 15];
        let value = 0;
        if (size === 0 && run < 15) {
          this.#ended = 2 ** run + this.#bits.bits(run);
          break;
        }
        if (size > 1) throw damaged();
        if (size === 1) value = this.#bits.bit() === 1 ? 2 ** low : -(2 ** low);
        k = this.#skip(coefficients, at, k, run);
        if (value !== 0) {
          if (k > to) throw damaged();
          coefficients[at + k] = value;
        }
      }
    }
    if (this.#ended > 0) {
      this.#skip(coefficients, at, k, Number.POSITIVE_INFINITY);
      this.#ended--;
    }
  }

  /** Refines what is there already, and goes over so many that are not; tells where it stands then. */
  #skip(coefficients: Int16Array, at: number, from: number, zeros: number): number {
    const { to, low } = this.#scan;
    let left = zeros;
    let k = from;
    for (; k <= to; k++) {
      const value = coefficients[at + k] ?? 0;
      if (value === 0) {
        if (left === 0) break;
        left--;
      } else if (this.#bits.bit() === 1 && (Math.abs(value) & (1 << low)) === 0)
        coefficients[at + k] = value + (value > 0 ? 2 ** low : -(2 ** low));
    }
    return k;
  }
}
