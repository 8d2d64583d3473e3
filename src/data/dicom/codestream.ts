// Sizes that compressed frames say themselves, read before a codec allocates anything: what disagrees with the object is
// refused.

/** What the header of a compressed frame says. */
export interface StreamSize {
  readonly rows: number;
  readonly columns: number;
  readonly samples: number;
  /** Bits of a sample. */
  readonly bits: number;
  /** Of JPEG, the number of its frame header: 0 and 1 sequential, 3 lossless, 0x37 JPEG-LS. */
  readonly process?: number;
  /** Of JPEG, whether an Adobe marker says its colours. */
  readonly hasAdobe?: boolean;
}

const SOI = 0xffd8;
const SOF = 0xffc0;
/** Markers of that range that begin no frame: Huffman tables, JPEG extensions, arithmetic conditioning. */
const NO_FRAME = [0xffc4, 0xffc8, 0xffcc];
const JPEG_LS = 0xfff7;
const APP14 = 0xffee;
const SOS = 0xffda;
const SOC = 0xff4f;
const SIZ = 0xff51;
/** More tiles than the standard's numbers of tiles reach. */
const MOST_TILES = 65535;

/** The size that a JPEG or JPEG-LS stream says. @throws Error for a malformed one */
export function jpegSize(content: Uint8Array): StreamSize {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const word = (at: number): number => {
    if (at + 2 > content.length) throw new Error('its JPEG stream is cut off');
    return view.getUint16(at);
  };
  if (word(0) !== SOI) throw new Error('its JPEG stream does not begin as one');
  let hasAdobe = false;
  for (let at = 2; ; ) {
    const marker = word(at);
    if (marker === 0xffff) {
      at++;
      continue;
    }
    if (marker < 0xff01 || marker === SOS) throw new Error('its JPEG stream has no frame header');
    const length = word(at + 2);
    if (marker === APP14) hasAdobe = true;
    const isFrame = marker === JPEG_LS || (marker >= SOF && marker <= 0xffcf && !NO_FRAME.includes(marker));
    if (isFrame) {
      return {
        bits: content[at + 4] ?? 0,
        rows: word(at + 5),
        columns: word(at + 7),
        samples: content[at + 9] ?? 0,
        process: marker - SOF,
        hasAdobe,
      };
    }
    at += 2 + Math.max(2, length);
  }
}

/** The size that a JPEG 2000 or HTJ2K codestream says. @throws Error for a malformed one */
export function jpeg2000Size(content: Uint8Array): StreamSize {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  if (content.length < 43 || view.getUint16(0) !== SOC || view.getUint16(2) !== SIZ) {
    throw new Error('its JPEG 2000 codestream does not begin as one');
  }
  const [x1, y1, x0, y0] = [8, 12, 16, 20].map((at) => view.getUint32(at)) as [
    number,
    number,
    number,
    number,
  ];
  const [tileX, tileY, tileX0, tileY0] = [24, 28, 32, 36].map((at) => view.getUint32(at)) as [
    number,
    number,
    number,
    number,
  ];
  const samples = view.getUint16(40);
  if (tileX === 0 || tileY === 0) throw new Error('its JPEG 2000 codestream has tiles of no size');
  const tiles = Math.ceil((x1 - tileX0) / tileX) * Math.ceil((y1 - tileY0) / tileY);
  if (!(tiles >= 1 && tiles <= MOST_TILES)) throw new Error('its JPEG 2000 codestream has too many tiles');
  const depths = Array.from({ length: Math.min(samples, 4) }, (_, i) => content[42 + 3 * i] ?? 0);
  const isWhole = depths.every(
    (depth, i) => depth === depths[0] && content[43 + 3 * i] === 1 && content[44 + 3 * i] === 1,
  );
  if (!isWhole) throw new Error('its JPEG 2000 codestream has components of several sizes');
  return { rows: y1 - y0, columns: x1 - x0, samples, bits: ((depths[0] ?? 0) & 0x7f) + 1 };
}

/** Whether a JPEG stream ends with its mark, perhaps before padding. */
export function endsWhole(content: Uint8Array): boolean {
  const end = content.findLastIndex((byte) => byte !== 0);
  return content[end] === 0xd9 && content[end - 1] === 0xff;
}

/**
 * A JPEG stream with the marker of Adobe that says whether it is stored as YCbCr: otherwise decoders guess by the names of
 * components.
 */
export function withColours(content: Uint8Array, isYbr: boolean): Uint8Array {
  const marker = [0xff, 0xee, 0, 14, ...Buffer.from('Adobe'), 0, 100, 0, 0, 0, 0, isYbr ? 1 : 0];
  return Buffer.concat([content.subarray(0, 2), Uint8Array.from(marker), content.subarray(2)]);
}
