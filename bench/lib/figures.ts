// How benches count seconds and sum them up.
import { existsSync, readFileSync } from 'node:fs';

/** A second in `/proc`. */
const TICKS = 100;

/** Seconds of this process on processors: other work on the machine does not count. */
export function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/**
 * Seconds that a process took on processors so far, and those that its ended child processes took; undefined where the system
 * does not tell.
 */
export function secondsOfProcess(
  pid: number,
): { readonly own: number; readonly children: number } | undefined {
  const path = `/proc/${pid}/stat`;
  if (!existsSync(path)) return undefined;
  // Behind the name, which may hold anything.
  const fields = readFileSync(path, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  const seconds = (at: number): number => (Number(fields[at]) + Number(fields[at + 1])) / TICKS;
  return { own: seconds(11), children: seconds(13) };
}

/** The value that this share of the values is below; NaN for none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
