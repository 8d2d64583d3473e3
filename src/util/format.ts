// Numbers as people read them.

/** Bytes with a binary unit: `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
}

/** A count with a decimal unit: `12.3 M`. */
export function formatCount(count: number): string {
  return scaled(count, 1000, ['', 'k', 'M', 'G', 'T']).trimEnd();
}

/** Seconds with a fitting unit: `350 µs`, `12.3 ms`, `4.2 s`, `3 min 20 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(0)} µs`;
  if (seconds < 1) return `${threeDigits(seconds * 1e3)} ms`;
  if (seconds < 120) return `${threeDigits(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** Joules with a fitting unit: `350 µJ`, `12.3 mJ`, `4.20 J`. */
export function formatJoules(joules: number): string {
  if (joules < 1e-3) return `${threeDigits(joules * 1e6)} µJ`;
  return joules < 1 ? `${threeDigits(joules * 1e3)} mJ` : `${threeDigits(joules)} J`;
}

/** A fraction as a percentage with one decimal: `98.4 %`. */
export function formatPercent(fraction: number): string {
  return `${(fraction * 100).toFixed(1)} %`;
}

/** Three digits, or as many as a whole number has: never an exponent. */
function threeDigits(value: number): string {
  return Math.abs(value) >= 999.5 ? value.toFixed(0) : value.toPrecision(3);
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let unit = 0;
  let rest = value;
  while (Math.abs(rest) >= base && unit < units.length - 1) {
    rest /= base;
    unit++;
  }
  // A number that rounds up to the next unit is shown in that unit.
  if (unit > 0 && unit < units.length - 1 && Math.round(Math.abs(rest)) >= base) {
    rest /= base;
    unit++;
  }
  const digits = unit === 0 ? String(Math.round(rest)) : threeDigits(rest);
  return `${digits} ${units[unit]}`;
}

/** `1 record`, `3 records`. */
export function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** The first few names, and how many more there are: `a, b and 3 more`. */
export function firstOf(names: readonly string[], most: number): string {
  const more = names.length - most;
  return `${names.slice(0, most).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
