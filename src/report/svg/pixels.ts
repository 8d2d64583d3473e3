// Coordinates as SVG writes them: short, and finer than any screen shows.

/** Pixels to a tenth. */
export function px(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Pixels to a hundredth, for many thin bars beside each other. */
export function finePx(value: number): number {
  return Math.round(value * 100) / 100;
}
