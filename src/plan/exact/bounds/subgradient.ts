// Deflected subgradient steps of Polyak's length (Polyak, 1969; Camerini, Fratta and Maffioli, 1975): how prices of
// limits move towards a better bound. The exact planner's three methods and the learned policy's decoder all step by
// this.
import { LEAST_NORM } from '../../problem/tolerances.ts';

/** Share of the old direction in the new one. */
const DEFLECTION = 0.3;

/** How one method steps. */
export interface StepRule {
  /** Factor of Polyak's length at first, what it is multiplied by when the bound has not risen, and its least value. */
  readonly first: number;
  readonly shrink: number;
  readonly least: number;
  /** Passes without a better bound that are borne before the factor shrinks. */
  readonly patience: number;
  /** Without a plan, how far above the bound steps aim, relative. */
  readonly aim: number;
  /** Least distance that a step aims at, relative. */
  readonly reach: number;
  /** Whether the direction is forgotten when the factor shrinks, and whether the first direction is not deflected. */
  readonly restarts: boolean;
}

/** The exact planner's rules: for the whole graph, for a reduced one, and for tables by steps of loss. */
export const ROOT_RULE: StepRule = {
  ...{ first: 1.2, shrink: 0.6, least: 2e-3, patience: 5, aim: 0.03, reach: 1e-6, restarts: true },
};
export const REDUCED_RULE: StepRule = {
  ...{ first: 1, shrink: 0.5, least: 0.02, patience: 3, aim: 0.03, reach: 1e-6, restarts: true },
};
export const TABLE_RULE: StepRule = {
  ...{ first: 1, shrink: 0.5, least: 0.01, patience: 2, aim: 0.05, reach: 1e-6, restarts: true },
};
/** The decoder's rule: a few passes from prices that are nearly right. */
export const DECODER_RULE: StepRule = {
  ...{ first: 1, shrink: 0.6, least: 0, patience: 1, aim: 0.03, reach: 1e-4, restarts: false },
};

/** The state of one method. A pass calls `begin`, `add` for each price in order, then `length`. */
export class SubgradientSteps {
  /** By price: where the next step goes. */
  direction: Float64Array;
  readonly #rule: StepRule;
  #factor: number;
  #since = 0;
  #fresh: boolean;
  #norm = 0;

  constructor(rule: StepRule, prices: number) {
    this.#rule = rule;
    this.direction = new Float64Array(prices);
    this.#factor = rule.first;
    this.#fresh = rule.restarts;
  }

  /** Makes the method new again, for as many prices. */
  reset(prices: number): void {
    if (this.direction.length < prices) this.direction = new Float64Array(prices);
    else this.direction.fill(0);
    this.#factor = this.#rule.first;
    this.#since = 0;
    this.#fresh = this.#rule.restarts;
  }

  /** The last pass raised the bound. */
  rose(): void {
    this.#since = 0;
  }

  /**
   * The last pass did not raise the bound; true when the factor has shrunk, so that prices go back to the best ones.
   */
  stalled(): boolean {
    if (++this.#since <= this.#rule.patience) return false;
    this.#factor *= this.#rule.shrink;
    this.#since = 0;
    if (this.#rule.restarts) this.#fresh = true;
    return true;
  }

  /** Whether the factor is so small that further steps change nothing. */
  get exhausted(): boolean {
    return this.#factor < this.#rule.least;
  }

  begin(): void {
    this.#norm = 0;
  }

  /** Takes in the slope of the bound in one price. */
  add(at: number, slope: number): void {
    const value = this.#fresh
      ? slope
      : (1 - DEFLECTION) * slope + DEFLECTION * (this.direction[at] as number);
    this.direction[at] = value;
    this.#norm += value * value;
  }

  /**
   * Length of the step that closes the gap to a target.
   * @param scale what the least distance is a share of
   * @returns undefined when there is nowhere to go
   */
  length(gap: number, scale: number): number | undefined {
    this.#fresh = false;
    if (this.#norm < LEAST_NORM) return undefined;
    return (this.#factor * Math.max(this.#rule.reach * Math.abs(scale), gap)) / this.#norm;
  }
}

/**
 * What accuracy adds to a bound at least, where a step of loss has a price: its term is concave, so it is least at an
 * end of its range.
 * @param low accuracy's term without loss
 * @param high the same at `most` steps of loss
 */
export function leastAccuracyTerm(low: number, high: number, most: number, step: number): number {
  return Math.min(low, high - step * most);
}
