// Bytes as lines of text, however they are cut into pieces; a line that is too long is told, not kept.

/** Collects lines. */
export class Lines {
  readonly #most: number;
  readonly #decoder = new TextDecoder();
  #rest = '';
  #skipping = false;

  /** @param most characters of a line */
  constructor(most: number) {
    this.#most = most;
  }

  /** The whole lines with a piece more; undefined for each that is too long. */
  push(piece: Uint8Array): (string | undefined)[] {
    return this.#split(this.#decoder.decode(piece, { stream: true }));
  }

  /** The last line, if it does not end with a line's end. */
  end(): (string | undefined)[] {
    const lines = this.#split(this.#decoder.decode());
    if (this.#rest !== '' && !this.#skipping) lines.push(this.#rest);
    this.#rest = '';
    return lines;
  }

  #split(text: string): (string | undefined)[] {
    const lines: (string | undefined)[] = [];
    const parts = text.split('\n');
    for (const [i, part] of parts.entries()) {
      if (!this.#skipping) this.#rest += part;
      if (this.#rest.length > this.#most) {
        this.#skipping = true;
        this.#rest = '';
        lines.push(undefined);
      }
      if (i === parts.length - 1) break;
      if (!this.#skipping && this.#rest.trim() !== '') lines.push(this.#rest);
      this.#skipping = false;
      this.#rest = '';
    }
    return lines;
  }
}
