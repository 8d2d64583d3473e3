// Rates and runs of beats that come one after another, by rules that whoever operates the monitor sets.

/** Thresholds of the rules. */
export interface RhythmRules {
  /** Names of classes that are ventricular beats; default `V`. */
  readonly ventricular?: readonly string[] | undefined;
  /** Seconds without a beat that are a pause; default 2. */
  readonly pause?: number | undefined;
  /** Ventricular beats in a row that are a run; default 3. Two in a row are a couplet. */
  readonly run?: number | undefined;
  /** Beats a minute that a run has at least, from its first to its last beat; default 0: any rate. */
  readonly runRate?: number | undefined;
  /** Intervals over which the lowest and highest heart rates are averaged; after a break half as many at least; default 8. */
  readonly rateOver?: number | undefined;
}

/** The rules with their defaults. */
export type SetRhythmRules = { readonly [Rule in keyof RhythmRules]-?: NonNullable<RhythmRules[Rule]> };

export const RHYTHM_DEFAULTS: SetRhythmRules = {
  ventricular: ['V'],
  pause: 2,
  run: 3,
  runRate: 0,
  rateOver: 8,
};

/** What beats make together. */
export interface RhythmSummary {
  /** Beats a minute; undefined before there is an interval. */
  readonly heartRate: { readonly mean: number; readonly min: number; readonly max: number } | undefined;
  /** Two ventricular beats in a row, with others on both sides. Null, as runs are: no class is ventricular. */
  readonly couplets: number | null;
  readonly ventricularRuns: number | null;
  /** Ventricular beats of the longest run. */
  readonly longestRun: number | null;
  readonly pauses: number;
  /** Seconds of the longest pause. */
  readonly longestPause: number;
  /** The rules in words. */
  readonly rules: string;
}

/** Counts of ventricular beats in a row. */
interface Rows {
  readonly couplets: number;
  readonly runs: number;
  readonly longest: number;
}

/** Counts beats as they come, in order of time. */
export class RhythmWatch {
  readonly rules: SetRhythmRules;
  readonly #hasVentricular: boolean;
  #last: number | undefined;
  readonly #recent: number[] = [];
  #intervals = 0;
  #seconds = 0;
  #slowest = Number.POSITIVE_INFINITY;
  #fastest = 0;
  #row = 0;
  #rowFrom = 0;
  #rowTo = 0;
  #couplets = 0;
  #runs = 0;
  #longestRun = 0;
  #pauses = 0;
  #longestPause = 0;

  /** @param classes that beats can have; without a ventricular one, couplets and runs are not counted, which is no count of 0 */
  constructor(rules: RhythmRules = {}, classes?: readonly string[]) {
    const given = Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined));
    this.rules = { ...RHYTHM_DEFAULTS, ...given };
    this.#hasVentricular = classes?.some((name) => this.rules.ventricular.includes(name)) ?? true;
  }

  /**
   * Takes the next beat.
   * @param at seconds
   * @param beatClass its name; undefined where it was not answered, which ends a row of ventricular beats
   */
  beat(at: number, beatClass: string | undefined): void {
    if (this.#last !== undefined) this.#interval(at - this.#last);
    this.#last = at;
    if (beatClass !== undefined && this.rules.ventricular.includes(beatClass)) {
      if (this.#row === 0) this.#rowFrom = at;
      this.#rowTo = at;
      this.#row++;
    } else this.#endRow();
  }

  /** The signal was not readable: intervals and rows do not reach across. */
  interrupt(): void {
    this.#last = undefined;
    this.#recent.length = 0;
    this.#endRow();
  }

  /** The summary so far. A row of ventricular beats that goes on counts as it stands. */
  summary(): RhythmSummary {
    return this.#summaryOf(this.#withRow());
  }

  /**
   * Ends a period and begins the next: its summary, without a row of ventricular beats that goes on. That row, and the interval
   * to the next beat, count in the period in which they end.
   */
  nextPeriod(): RhythmSummary {
    const [couplets, runs, longest] = [this.#couplets, this.#runs, this.#longestRun];
    const summary = this.#summaryOf({ couplets, runs, longest });
    [this.#couplets, this.#runs, this.#longestRun, this.#pauses, this.#longestPause] = [0, 0, 0, 0, 0];
    [this.#intervals, this.#seconds, this.#fastest, this.#slowest] = [0, 0, 0, Number.POSITIVE_INFINITY];
    return summary;
  }

  #summaryOf({ couplets, runs, longest }: Rows): RhythmSummary {
    const counted = (value: number): number | null => (this.#hasVentricular ? value : null);
    return {
      heartRate: this.#heartRate(),
      couplets: counted(couplets),
      ventricularRuns: counted(runs),
      longestRun: counted(longest),
      pauses: this.#pauses,
      longestPause: this.#longestPause,
      rules: this.#words(),
    };
  }

  /** Until enough intervals came in a row, the mean is all that is known. */
  #heartRate(): RhythmSummary['heartRate'] {
    if (this.#intervals === 0) return undefined;
    const mean = (60 * this.#intervals) / this.#seconds;
    return this.#fastest === 0
      ? { mean, min: mean, max: mean }
      : { mean, min: this.#slowest, max: this.#fastest };
  }

  #interval(seconds: number): void {
    this.#intervals++;
    this.#seconds += seconds;
    if (seconds >= this.rules.pause) {
      this.#pauses++;
      this.#longestPause = Math.max(this.#longestPause, seconds);
    }
    this.#recent.push(seconds);
    if (this.#recent.length > this.rules.rateOver) this.#recent.shift();
    // After a break there are fewer: half of them are enough.
    if (this.#recent.length < this.rules.rateOver / 2) return;
    const rate = (60 * this.#recent.length) / this.#recent.reduce((sum, own) => sum + own, 0);
    this.#slowest = Math.min(this.#slowest, rate);
    this.#fastest = Math.max(this.#fastest, rate);
  }

  #endRow(): void {
    const { couplets, runs, longest } = this.#withRow();
    this.#couplets = couplets;
    this.#runs = runs;
    this.#longestRun = longest;
    this.#row = 0;
  }

  #withRow(): Rows {
    const [couplets, runs, longest] = [this.#couplets, this.#runs, this.#longestRun];
    const row = this.#row;
    const rate = row > 1 ? (60 * (row - 1)) / (this.#rowTo - this.#rowFrom) : 0;
    if (row >= this.rules.run && rate >= this.rules.runRate)
      return { couplets, runs: runs + 1, longest: Math.max(longest, row) };
    return { couplets: couplets + (row === 2 ? 1 : 0), runs, longest };
  }

  #words(): string {
    const { ventricular, pause, run, runRate, rateOver } = this.rules;
    const fast = runRate > 0 ? ` at ${runRate} or more beats a minute` : '';
    const names = ventricular.join(' or ');
    const rows = this.#hasVentricular
      ? `couplet: two beats of class ${names} in a row; run: ${run} or more${fast}; `
      : `couplets and runs are not counted: no class is called ${names}; `;
    return (
      rows +
      `pause: ${pause} s or more from beat to beat; lowest and highest heart rate: means over ${rateOver} intervals (after a ` +
      'break over half as many at least); ' +
      'nothing is counted across gaps'
    );
  }
}
