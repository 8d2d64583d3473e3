// Decoded images, as every reader of a format gives them.

/** Interleaved pixels of 8 or 16 bits: grey (1), grey and alpha (2), RGB (3) or RGB and alpha (4). */
export interface Pixels {
  readonly data: Uint8Array | Uint16Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** The value that is white; default 255. */
  readonly white?: number | undefined;
}
