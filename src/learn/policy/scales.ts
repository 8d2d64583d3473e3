// How features are bent: shares that span decades become logarithms, excesses are pressed together.

/** A share on a scale of decades: 1 is 0, and a thousandth or a thousand times is about -2 or 2. */
export function log(share: number): number {
  return share > 1e-6 ? (share < 1e6 ? Math.log(share) / 3.5 : 3.95) : -3.95;
}

/** How much more than the least, relative, bent. */
export function regret(value: number, least: number): number {
  const more = value / least - 1;
  return more < 1e4 ? Math.log1p(Math.max(0, more) * 10) / 2 : 5;
}
