/** Memory for one large array after another, so that each is not made, cleared and collected anew. */
export class RowMemory {
  readonly #isShared: boolean;
  #all: Float64Array = new Float64Array();

  /** @param isShared whether threads read it where it is; the engine reads no shared memory */
  constructor(isShared = false) {
    this.#isShared = isShared;
  }

  /** Numbers that the next call takes back; they are not zero. */
  take(length: number): Float64Array {
    if (this.#all.length < length) {
      this.#all = this.#isShared
        ? new Float64Array(new SharedArrayBuffer(length * Float64Array.BYTES_PER_ELEMENT))
        : new Float64Array(length);
    }
    return this.#all.subarray(0, length);
  }
}
