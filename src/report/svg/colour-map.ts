// The colours of relevance: white at zero, red for a class and blue against it, with equal lightness at equal size.
// People with any colour vision can distinguish red from blue. Colours are mixed in OKLab (Ottosson, 2020), where equal
// steps look equal.

/** Red, green and blue, each from 0 to 255. */
export type Rgb = readonly [number, number, number];

/** Hues of OKLCh, in degrees. */
const HUE = { positive: 30, negative: 252 };
/** Lightness at full size; white is 1. */
const DARKEST = 0.43;
/** The largest chroma that both hues have in sRGB at the middle of the scale. */
const CHROMA = 0.142;

/** The colour of a value in [-1, 1]. Values outside get the colour of the nearer end; NaN is white. */
export function relevanceColour(value: number): Rgb {
  const size = Math.min(1, Math.abs(value) || 0);
  const lightness = 1 - (1 - DARKEST) * size;
  // Chroma rises quickly, so that small relevance is visible, and falls a little for dark colours, which allow less.
  const chroma = CHROMA * Math.sin((Math.PI / 2) * Math.min(1, 1.45 * size)) * (1 - 0.12 * size ** 4);
  const hue = ((value < 0 ? HUE.negative : HUE.positive) * Math.PI) / 180;
  return fromOklab(lightness, chroma * Math.cos(hue), chroma * Math.sin(hue));
}

/** A colour as `#rrggbb`. */
export function hexOf([red, green, blue]: Rgb): string {
  return `#${[red, green, blue].map((part) => part.toString(16).padStart(2, '0')).join('')}`;
}

/**
 * The relevance that gets the full colour: a quantile of the absolute values (nearest rank, default 99.5 %), so that one
 * outlier does not bleach the rest. Returns the maximum if that quantile is zero, and zero if all values are zero.
 */
export function relevanceScale(values: ArrayLike<number>, quantile = 0.995): number {
  const sizes = Float64Array.from({ length: values.length }, (_, i) => Math.abs(values[i] as number)).sort();
  const rank = Math.min(sizes.length - 1, Math.max(0, Math.ceil(quantile * sizes.length) - 1));
  const chosen = sizes[rank] ?? 0;
  return chosen > 0 ? chosen : (sizes.at(-1) ?? 0);
}

/** Relevance divided by the scale; zero if the scale is zero. */
export function scaled(value: number, scale: number): number {
  return scale > 0 ? value / scale : 0;
}

/** Converts OKLab to sRGB; clips colours that sRGB does not have. */
function fromOklab(lightness: number, a: number, b: number): Rgb {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    channel(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    channel(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    channel(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

function channel(linear: number): number {
  const value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
  return Math.round(255 * Math.min(1, Math.max(0, value)));
}
