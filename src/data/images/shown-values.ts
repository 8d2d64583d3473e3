// Values of medical images (Hounsfield units, counts) as grey of 8 or 16 bits: by a window, a table, or their full range.
// The steps of the contract follow, in the terms of what the grey stands for.
import type { ImageContract } from '../contract/contract.ts';
import type { Pixels } from './pixel-data.ts';
import { windowOf } from './steps.ts';

/** A picture in the units of its file. */
export interface MedicalFrame {
  readonly rows: number;
  readonly columns: number;
  /** Grey, or RGB. */
  readonly channels: 1 | 3;
  /** Interleaved; of colour 0 to `high`. */
  readonly values: Int32Array | Float64Array | Float32Array | Uint8Array | Uint16Array;
  /** The range that values may have. */
  readonly low: number;
  readonly high: number;
  /** Whether the lowest value is white. */
  readonly isInverted: boolean;
  /** How the file says that grey is shown. */
  readonly shown: Shown | undefined;
  /** Whether the file does not say how it lies, so that left and right, or feet and head, may have changed places. */
  readonly isUnoriented?: boolean;
  /** Whether some values are no numbers, in the place of which the lowest stands. */
  readonly hasHoles?: boolean;
}

/** What a file says of showing its values. */
export type Shown =
  | { readonly kind: 'window'; readonly centre: number; readonly width: number; readonly form: string }
  | { readonly kind: 'table'; readonly values: Uint16Array; readonly first: number; readonly bits: number };

/** How the grey of an image was made, for what is said. */
export type ShownBy = 'colour' | 'contract' | 'values' | 'window' | 'table' | 'range';

/** A picture for `writeImage`, and the contract in its terms. */
export interface ShownImage {
  readonly pixels: Pixels;
  readonly contract: ImageContract;
  readonly by: ShownBy;
}

const WHITE = 65535;

/**
 * Grey of a frame. A window of the contract comes first, in the file's units; then, where the contract says a scale or
 * bits, the values themselves; then the window or the table of the file; then the full range of its values.
 */
export function shownImage(frame: MedicalFrame, contract: ImageContract = {}): ShownImage {
  const { rows, columns, channels, values } = frame;
  const size = { height: rows, width: columns, channels };
  if (channels === 3) {
    const data =
      values instanceof Uint8Array || values instanceof Uint16Array ? values : Uint16Array.from(values);
    return { pixels: { ...size, data, white: frame.high }, contract, by: 'colour' };
  }
  const { window: _, bits, ...steps } = contract;
  const own = windowOf(contract);
  if (own) {
    const data = byShare(frame, ({ value }) => (value - own.low) / (own.high - own.low));
    return { pixels: { ...size, data, white: WHITE }, contract: filled(steps, own, WHITE), by: 'contract' };
  }
  if (contract.scale !== undefined || bits !== undefined) return asValues(frame, contract);
  const { shown } = frame;
  if (shown) {
    const data = byShare(frame, shown.kind === 'window' ? windowShare(shown) : tableShare(shown));
    return { pixels: { ...size, data, white: WHITE }, contract: steps, by: shown.kind };
  }
  const { low, high } = frame;
  const data = byShare(frame, ({ value }) => (value - low) / (high - low || 1));
  return { pixels: { ...size, data, white: WHITE }, contract: filled(steps, frame, WHITE), by: 'range' };
}

/** The values as they are, in steps of which the contract's scale and mean make them again. */
function asValues(
  shown: MedicalFrame,
  { bits, scale, mean = 0, window: _, ...steps }: ImageContract,
): ShownImage {
  // Numbers are what they are: nothing is shown, so nothing is inverted.
  const frame = { ...shown, isInverted: false };
  const { rows, columns, low, high } = frame;
  const step = Math.max(high - low, Number.MIN_VALUE) <= WHITE && isWhole(frame) ? 1 : (high - low) / WHITE;
  const unit = scale ?? 1 / (2 ** (bits ?? 8) - 1);
  const data = byShare(frame, ({ value }) => (value - low) / step / WHITE);
  const means = typeof mean === 'number' ? mean - low * unit : mean.map((one) => one - low * unit);
  const pixels = { height: rows, width: columns, channels: 1, data, white: WHITE };
  return {
    pixels,
    contract: { ...filled(steps, { low, high: low + step * WHITE }, WHITE), scale: unit * step, mean: means },
    by: 'values',
  };
}

function isWhole({ values, low }: MedicalFrame): boolean {
  return values instanceof Int32Array && Number.isInteger(low);
}

/** The value around a picture in steps of its grey. */
function filled(
  contract: ImageContract,
  { low, high }: { readonly low: number; readonly high: number },
  white: number,
): ImageContract {
  const { resize } = contract;
  if (resize?.fill === undefined) return contract;
  const fill = Math.min(Math.max(Math.round(((resize.fill - low) / (high - low || 1)) * white), 0), white);
  return { ...contract, resize: { ...resize, fill } };
}

type ShareOf = (of: { readonly value: number }) => number;

/** Grey of 16 bits: a share of white for each value, clipped; each value's is found once. */
function byShare({ values, isInverted }: MedicalFrame, shareOf: ShareOf): Uint16Array {
  const known = new Map<number, number>();
  return Uint16Array.from(values, (value) => {
    const found = known.get(value);
    if (found !== undefined) return found;
    const share = Math.min(Math.max(shareOf({ value }), 0), 1);
    const grey = Math.round((isInverted ? 1 - share : share) * WHITE);
    if (known.size < WHITE) known.set(value, grey);
    return grey;
  });
}

/** Windows of PS3.3, C.11.2.1.2: LINEAR by whole values, LINEAR_EXACT, SIGMOID. */
function windowShare({ centre, width, form }: Extract<Shown, { kind: 'window' }>): ShareOf {
  if (form === 'SIGMOID') return ({ value }) => 1 / (1 + Math.exp((-4 * (value - centre)) / width));
  if (form === 'LINEAR_EXACT') return ({ value }) => (value - centre) / width + 0.5;
  if (width <= 1) return ({ value }) => (value > centre - 0.5 ? 1 : 0);
  return ({ value }) => (value - (centre - 0.5)) / (width - 1) + 0.5;
}

function tableShare({ values, first, bits }: Extract<Shown, { kind: 'table' }>): ShareOf {
  const last = values.length - 1;
  const white = 2 ** bits - 1;
  return ({ value }) => (values[Math.min(Math.max(Math.round(value) - first, 0), last)] ?? 0) / white;
}
