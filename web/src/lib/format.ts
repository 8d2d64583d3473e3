// Figures with their units, as people read them.

/** `1.2 ms`, `340 ms`, `2.1 s`, `3 min`. */
export function seconds(value: number): string {
  if (!Number.isFinite(value)) return '—';
  const size = Math.abs(value);
  if (size < 1e-6) return '0 s';
  if (size < 9.995e-4) return `${digits(1e6 * value)} µs`;
  if (size < 0.9995) return `${digits(1e3 * value)} ms`;
  if (size < 119.5) return `${digits(value)} s`;
  if (size < 5400) return `${Math.round(value / 60)} min`;
  return `${digits(value / 3600)} h`;
}

/** `512 B`, `1.5 kB`, `24 MB`. */
export function bytes(value: number): string {
  return scaled(value, 'B', ['', 'k', 'M', 'G', 'T']);
}

/** `1.5 MB/s`. */
export function bytesPerSecond(value: number): string {
  return `${bytes(value)}/s`;
}

/** `1.2 M` and the like, for counts such as multiply-accumulates. */
export function count(value: number): string {
  return value < 10_000 ? Math.round(value).toString() : scaled(value, '', ['', 'k', 'M', 'G', 'T']).trim();
}

/** `12 mJ`, `3.4 kJ`. */
export function joules(value: number): string {
  if (value === 0) return '0 J';
  const size = Math.abs(value);
  if (size < 1e-3) return `${digits(1e6 * value)} µJ`;
  if (size < 1) return `${digits(1e3 * value)} mJ`;
  return scaled(value, 'J', ['', 'k', 'M', 'G', 'T']);
}

/** `93 %`; one decimal where asked for. */
export function percent(share: number, decimals = 0): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(decimals)} %` : '—';
}

/** `Accuracy` of `accuracy`. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Three digits that count. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '—';
  const size = Math.abs(value);
  return size >= 99.95 ? value.toFixed(0) : size >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

/** `now`, `4 s ago`, `12 min ago`, `3 h ago`. */
export function ago(time: number, now: number): string {
  const passed = Math.max(0, (now - time) / 1000);
  if (passed < 2) return 'now';
  if (passed < 120) return `${Math.floor(passed)} s ago`;
  if (passed < 7200) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 172_800) return `${Math.floor(passed / 3600)} h ago`;
  return `${Math.floor(passed / 86_400)} days ago`;
}

/** Made once: making one takes far longer than using it. */
const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
  hour12: false,
});

/** `14:03:22`, in the time of this browser. */
export function clockTime(time: number): string {
  return CLOCK.format(time);
}

/** `2026-05-01 14:03:22`. */
export function dateTime(time: number): string {
  const at = new Date(time);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clockTime(time)}`;
}

function scaled(value: number, unit: string, prefixes: readonly string[]): string {
  let step = 0;
  let rest = value;
  while (Math.abs(rest) >= 999.5 && step < prefixes.length - 1) {
    rest /= 1000;
    step++;
  }
  const text = step === 0 ? String(Math.round(rest)) : digits(rest);
  return `${text} ${prefixes[step]}${unit}`;
}
