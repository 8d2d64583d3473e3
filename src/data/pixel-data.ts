// Decoded images, as every reader of a format gives them.

/** Interleaved 8-bit pixels: grey (1), grey and alpha (2), RGB (3) or RGB and alpha (4). */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}
