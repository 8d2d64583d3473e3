// How high the peaks of beats and of noise were lately, how long beats are apart, and what threshold follows from that.

/** So many beats, peaks of noise and intervals are remembered. */
const BEATS = 12;
const NOISE = 8;
const INTERVALS = 8;
/** The level of beats is the third lowest of those remembered: high ventricular beats do not hide the others. */
const LOW_BEAT = 2;
/** Where the threshold stands between noise (0) and beats (1): after a beat, and when the next one is overdue. */
const EARLY = 0.32;
const OVERDUE = 0.15;
/** It falls from one to the other between these shares of the usual interval. */
const FROM = 0.9;
const TO = 1.5;
/** Seconds between beats before any are known. */
const USUAL = 1;

/** Levels of peaks, from which a peak is told to be a beat. */
export class PeakLevels {
  #beats: number[] = [];
  #noise: number[] = [];
  #intervals: number[] = [];
  #learning: number[] = [];

  /** Whether a peak is high enough. @param since seconds since the last beat; undefined where that is not known */
  isBeat(height: number, since: number | undefined): boolean {
    const noise = middle(this.#noise) ?? 0;
    const sorted = this.#beats.toSorted((a, b) => a - b);
    const beat = sorted[Math.min(LOW_BEAT, sorted.length - 1)];
    if (beat === undefined) return false;
    const due = (since ?? USUAL) / (middle(this.#intervals) ?? USUAL);
    const late = Math.min(1, Math.max(0, (due - FROM) / (TO - FROM)));
    const share = EARLY + (OVERDUE - EARLY) * late;
    return height > noise + share * Math.max(0, beat - noise);
  }

  /** Remembers a beat. @param since seconds since the beat before; undefined where that is not known */
  beat(height: number, since: number | undefined): void {
    remember(this.#beats, height, BEATS);
    if (since !== undefined) remember(this.#intervals, since, INTERVALS);
  }

  /** Remembers a peak that is no beat. */
  noise(height: number): void {
    remember(this.#noise, height, NOISE);
  }

  /** Takes a peak while levels are learned. @param isLarge whether it may be a beat at all */
  learn(height: number, isLarge: boolean): void {
    if (isLarge) this.#learning.push(height);
  }

  /** Ends learning: the highest peak was a beat. */
  learned(): void {
    const highest = this.#learning.reduce((most, height) => Math.max(most, height), 0);
    if (highest > 0) this.#beats = [highest];
    this.#learning = [];
  }

  /** Learns anew. */
  forget(): void {
    this.#beats = [];
    this.#noise = [];
    this.#intervals = [];
    this.#learning = [];
  }
}

function remember(list: number[], value: number, most: number): void {
  list.push(value);
  if (list.length > most) list.shift();
}

/** The median; undefined for none. */
function middle(list: readonly number[]): number | undefined {
  if (list.length === 0) return undefined;
  const sorted = list.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(at)] as number) + (sorted[Math.ceil(at)] as number)) / 2;
}
