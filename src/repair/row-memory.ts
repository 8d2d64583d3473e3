/** Memory for one large array after another, so that each is not made, cleared and collected anew. */
export class RowMemory {
  #all = new Float64Array();

  /** Numbers that the next call takes back; they are not zero. */
  take(length: number): Float64Array {
    if (this.#all.length < length) this.#all = new Float64Array(length);
    return this.#all.subarray(0, length);
  }
}
