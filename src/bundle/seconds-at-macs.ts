// Measured seconds of a stage between two levels.

/**
 * Seconds at a number of MACs, interpolated between measured levels. Outside the measured range they are proportional
 * to the MACs.
 * @param macs of the levels, in descending order
 * @param seconds of the same levels
 * @param at the number of MACs to look up
 */
export function secondsAtMacs(macs: readonly number[], seconds: readonly number[], at: number): number {
  for (let level = 1; level < macs.length; level++) {
    const [more, less] = [macs[level - 1] ?? 0, macs[level] ?? 0];
    const [slow, fast] = [seconds[level - 1] ?? 0, seconds[level] ?? 0];
    if (at >= more) return level === 1 && more > 0 ? (slow * at) / more : slow;
    if (at >= less) return fast + ((slow - fast) * (at - less)) / (more - less);
  }
  const [least, fastest] = [macs.at(-1) ?? 0, seconds.at(-1) ?? 0];
  return least > 0 ? (fastest * at) / least : fastest;
}
