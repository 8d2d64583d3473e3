// Bytes that are read by ranges: of a file, or in memory.

/** The source that archives are read from; `RegularFile` is one. */
export interface ByteSource {
  /** Bytes in all. */
  readonly size: number;
  /** The bytes from `start` up to `end`, both within `size`. */
  read(start: number, end: number): Promise<Uint8Array>;
  /** The same range in pieces, one after another; each piece is valid until the next one is read. */
  pieces(start: number, end: number): AsyncIterable<Uint8Array>;
}

/** Bytes in memory as a source; ranges are views, not copies. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: async (start, end) => bytes.subarray(start, end),
    async *pieces(start, end) {
      if (end > start) yield bytes.subarray(start, end);
    },
  };
}
