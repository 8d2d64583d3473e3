// How far a study is, on stderr: a line every few seconds, with the time since it began.
const EVERY_MS = 5000;

/** Tells how far a part is. */
export type Tell = (done: number, total: number, what?: string) => void;

/** Lines of one part; the first and the last are always told. */
export function progress(part: string): Tell {
  const began = performance.now();
  let told = Number.NEGATIVE_INFINITY;
  return (done, total, what = '') => {
    const now = performance.now();
    if (done < total && now - told < EVERY_MS) return;
    told = now;
    const seconds = ((now - began) / 1000).toFixed(0);
    process.stderr.write(`${part}: ${done} of ${total}${what === '' ? '' : `, ${what}`}, ${seconds} s\n`);
  };
}
