// Signals of one lead with known beats: P, QRS and T waves as bells, wandering baseline and noise.
import { Random } from '../../util/internal.ts';

/** A beat of a made signal. */
export interface MadeBeat {
  /** Seconds from the start to its R peak. */
  readonly at: number;
  /** Height of the R wave in millivolts; default 1. */
  readonly height?: number;
  /** Wide, without a P wave, and with a large opposite T wave. */
  readonly ventricular?: boolean;
}

/** Waves of a beat: seconds from the R peak, height as a share of R, width in seconds. */
const NORMAL = [
  [-0.17, 0.12, 0.025],
  [-0.03, -0.1, 0.01],
  [0, 1, 0.012],
  [0.03, -0.2, 0.012],
  [0.27, 0.25, 0.05],
] as const;
const VENTRICULAR = [
  [0, 1.4, 0.035],
  [0.1, -0.5, 0.04],
  [0.3, -0.5, 0.06],
] as const;

/** The signal of beats in millivolts. @param noise deviation of white noise in millivolts */
export function madeSignal(
  beats: readonly MadeBeat[],
  { rate, seconds, noise = 0.02, seed = 1 }: { rate: number; seconds: number; noise?: number; seed?: number },
): Float64Array {
  const random = new Random(seed);
  const signal = Float64Array.from({ length: Math.round(seconds * rate) }, (_, i) => {
    const t = i / rate;
    return 0.15 * Math.sin(2 * Math.PI * 0.2 * t) + noise * random.normal();
  });
  for (const { at, height = 1, ventricular = false } of beats) {
    for (const [offset, share, width] of ventricular ? VENTRICULAR : NORMAL) {
      const middle = (at + offset) * rate;
      const reach = 5 * width * rate;
      const end = Math.min(signal.length - 1, Math.ceil(middle + reach));
      for (let i = Math.max(0, Math.floor(middle - reach)); i <= end; i++) {
        const z = (i - middle) / (width * rate);
        signal[i] = (signal[i] as number) + height * share * Math.exp((-z * z) / 2);
      }
    }
  }
  return signal;
}

/** Beats with intervals that vary a little. @param interval seconds between two */
export function regularBeats(seconds: number, interval = 0.8, seed = 2): MadeBeat[] {
  const random = new Random(seed);
  const beats: MadeBeat[] = [];
  for (let at = 0.5; at < seconds - 0.4; at += interval * (1 + 0.05 * random.normal())) beats.push({ at });
  return beats;
}
