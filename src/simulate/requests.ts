// Arrivals of requests: time, bundle, kind and deadline.
import { must } from '../util/index.ts';
import { RandomLanes } from '../util/internal.ts';
import { exponential, innovation, persistence } from './dynamics.ts';
import type { WardParameters } from './parameters.ts';

/** One request as it comes. Seconds; indices. */
export interface Arrival {
  readonly time: number;
  readonly bundle: number;
  readonly kind: number;
  readonly deadline: number;
}

/** Requests in the order of their times. */
export interface Arrivals {
  /** Second of the next one; Infinity when there are no more. */
  readonly next: number;
  take(): Arrival;
}

const STREAM = 0x51ed270b;

/** Poisson arrivals, endless; the mix of kinds and of bundles drifts. Independent of everything but the seed. */
export class PoissonArrivals implements Arrivals {
  readonly #parameters: WardParameters['requests'];
  readonly #deadlines: readonly number[];
  readonly #lanes: RandomLanes;
  readonly #kinds: Mix;
  readonly #bundles: Mix;
  readonly #uniforms = new Float64Array(4);
  #next = 0;

  /** @param deadline seconds that the fleet's requests have; a kind multiplies them */
  constructor(parameters: WardParameters['requests'], deadline: number, bundles: number, seed: number) {
    this.#parameters = parameters;
    this.#deadlines = parameters.kinds.map((kind) => kind.deadline * deadline);
    this.#lanes = new RandomLanes([seed ^ STREAM]);
    this.#kinds = new Mix(
      parameters.kinds.map(({ share }) => share),
      parameters.mix,
    );
    this.#bundles = new Mix(
      Array.from({ length: bundles }, () => 1 / bundles),
      parameters.mix,
    );
    this.#draw(0);
  }

  get next(): number {
    return this.#next;
  }

  take(): Arrival {
    const time = this.#next;
    const [, bundle = 0, kind = 0, spread = 0] = this.#uniforms;
    const chosen = this.#kinds.choose(kind);
    const around = 1 + this.#parameters.deadlineSpread * (2 * spread - 1);
    const deadline = must(this.#deadlines[chosen], `kind ${chosen}`) * around;
    const arrival = { time, bundle: this.#bundles.choose(bundle), kind: chosen, deadline };
    this.#draw(time);
    return arrival;
  }

  /** The time of the next request, and what the mixes have become by then. */
  #draw(now: number): void {
    this.#lanes.uniforms(0, this.#uniforms, 0, 4);
    const elapsed = exponential(1 / this.#parameters.perSecond, this.#uniforms[0] ?? 0);
    this.#next = now + elapsed;
    this.#kinds.drift(this.#lanes, elapsed);
    this.#bundles.drift(this.#lanes, elapsed);
  }
}

/** Shares whose logits move around their means. */
class Mix {
  readonly #mean: Float64Array;
  readonly #logits: Float64Array;
  readonly #normals: Float64Array;
  readonly #drift: WardParameters['requests']['mix'];

  constructor(shares: readonly number[], drift: WardParameters['requests']['mix']) {
    this.#mean = Float64Array.from(shares, (share) => Math.log(share));
    this.#logits = this.#mean.slice();
    this.#normals = new Float64Array(shares.length);
    this.#drift = drift;
  }

  drift(lanes: RandomLanes, elapsed: number): void {
    const kept = persistence(this.#drift.seconds, elapsed);
    const fresh = innovation(this.#drift.deviation, kept);
    lanes.normals(0, this.#normals, 0, this.#normals.length);
    this.#logits.forEach((logit, i) => {
      const mean = this.#mean[i] as number;
      this.#logits[i] = mean + kept * (logit - mean) + fresh * (this.#normals[i] as number);
    });
  }

  /** The index that a number uniform in [0, 1) falls to. */
  choose(uniform: number): number {
    const total = this.#logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
    let left = uniform * total;
    for (let i = 0; i < this.#logits.length - 1; i++) {
      left -= Math.exp(this.#logits[i] as number);
      if (left < 0) return i;
    }
    return this.#logits.length - 1;
  }
}
