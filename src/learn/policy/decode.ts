// Decoding the network's output into a plan: the best sets of every stage, better prices on these candidates, then a
// narrow beam.
import {
  mayRun,
  type PlanningInstance,
  type StageDecision,
  type StageInstance,
} from '../../plan/internal.ts';
import { Beam, type BeamOptions } from './beam.ts';
import { CandidatePass, LimitPrices } from './candidate-pass.ts';
import { CandidateProgram, grown } from './candidate-program.ts';
import type { Features } from './features.ts';
import type { PolicyOutput } from './policy-network.ts';
import { Reach } from './reach.ts';
import { Tuner } from './tune.ts';

/** How much decoding looks at. */
export interface DecodeOptions {
  /** Candidate sets a stage. */
  readonly width: number;
  /** Partial plans a stage, and of them with one state. */
  readonly beam: number;
  readonly same: number;
  /** Passes of prices, and further ones where a plan may be far from the best of the candidates. */
  readonly passes: number;
  readonly more: number;
  /** How much the network's scores of sets and levels count in the beam, in shares of its unit. */
  readonly bonus: number;
}

/** The options of a decision within two milliseconds. */
export const QUICK: DecodeOptions = { width: 6, beam: 8, same: 3, passes: 3, more: 9, bonus: 0 };
/** The options when the quick search has found nothing. */
export const WIDE: DecodeOptions = { width: 14, beam: 64, same: 8, passes: 30, more: 0, bonus: 0 };

/** How far a plan's objective may be above what is proven of its candidates, relative, without further passes. */
const NEAR = 0.03;

/** Decodes one request after another with the same arrays. */
export class Decoder {
  readonly program = new CandidateProgram();
  readonly pass = new CandidatePass();
  readonly reach = new Reach();
  readonly #beam = new Beam();
  readonly #tuner = new Tuner();
  readonly #prices = new LimitPrices();
  readonly #candidates: number[][] = [];
  #setBonus = new Float64Array(0);
  #levelBonus = new Float64Array(0);
  #scores = new Float64Array(0);

  /** The best plan found, or undefined. It keeps every limit as plan/problem/cost.ts counts. */
  decode(
    instance: PlanningInstance,
    advice: Pick<PolicyOutput, 'sets' | 'levels' | 'prices'>,
    features: Features,
    options: DecodeOptions,
  ): readonly StageDecision[] | undefined {
    const candidates = this.pick(instance, advice.sets, features.sets, options.width);
    const known = { most: features.most, links: features.relaxation.links };
    if (!this.program.load(instance, candidates, known) || !this.reach.load(this.program)) return undefined;
    const bonuses = options.bonus > 0 ? this.#bonuses(advice, features, options.bonus) : {};
    const first = this.#search(advice.prices, options.passes, { ...options, ...bonuses });
    if (!first?.decisions || options.more === 0) return first?.decisions;
    if (first.objective - this.#tuner.bound <= NEAR * Math.abs(first.objective)) return first.decisions;
    this.#prices.copy(this.#tuner.best, instance.devices.length);
    const second = this.#search(this.#prices, options.more, { ...options, ...bonuses });
    return second?.decisions && second.objective < first.objective ? second.decisions : first.decisions;
  }

  /** Better prices, and a beam by them; undefined where there is no path at all. */
  #search(
    prices: LimitPrices,
    passes: number,
    options: BeamOptions,
  ): { readonly decisions: readonly StageDecision[] | undefined; readonly objective: number } | undefined {
    const [tuner, beam] = [this.#tuner, this.#beam];
    if (!tuner.run(this.program, this.pass, prices, passes)) return undefined;
    if (!tuner.fresh) this.pass.run(this.program, tuner.best);
    const found = beam.run(this.program, this.pass, this.reach, options);
    if (found && beam.objective <= tuner.objective) return { decisions: found, objective: beam.objective };
    return { decisions: tuner.decisions ?? found, objective: tuner.objective };
  }

  /** For every stage, the sets with the highest scores among those that may run there. */
  pick(instance: PlanningInstance, scores: Float32Array, stride: number, width: number): readonly number[][] {
    const L = instance.stages.length;
    this.#scores = grown(this.#scores, width);
    for (let l = 0; l < L; l++) {
      const { sets } = instance.stages[l] as StageInstance;
      let best = this.#candidates[l];
      if (!best) {
        best = [];
        this.#candidates[l] = best;
      }
      best.length = 0;
      for (let s = 0; s < sets.length; s++) {
        const score = scores[l * stride + s] as number;
        if (best.length === width && score <= (this.#scores[width - 1] as number)) continue;
        if (!mayRun(instance, l, sets[s] as readonly number[])) continue;
        let at = Math.min(best.length, width - 1);
        while (at > 0 && (this.#scores[at - 1] as number) < score) {
          this.#scores[at] = this.#scores[at - 1] as number;
          best[at] = best[at - 1] as number;
          at--;
        }
        this.#scores[at] = score;
        best[at] = s;
      }
    }
    this.#candidates.length = L;
    return this.#candidates;
  }

  #bonuses(
    { sets, levels }: Pick<PolicyOutput, 'sets' | 'levels'>,
    sizes: { readonly sets: number; readonly levels: number; readonly unit: number },
    weight: number,
  ): { setBonus: Float64Array; levelBonus: Float64Array } {
    const { program } = this;
    const [width, P] = [program.width, program.levels];
    this.#setBonus = grown(this.#setBonus, program.stages * width);
    this.#levelBonus = grown(this.#levelBonus, program.stages * P);
    const scale = (weight * sizes.unit) / program.stages;
    for (let l = 0; l < program.stages; l++) {
      let most = Number.NEGATIVE_INFINITY;
      const K = program.count[l] as number;
      for (let k = 0; k < K; k++)
        most = Math.max(most, sets[l * sizes.sets + (program.setAt[l * width + k] as number)] as number);
      for (let k = 0; k < K; k++) {
        const score = (sets[l * sizes.sets + (program.setAt[l * width + k] as number)] as number) - most;
        this.#setBonus[l * width + k] = scale * Math.max(-8, score);
      }
      most = Number.NEGATIVE_INFINITY;
      const levelsOut = program.levelsOut[l] as number;
      for (let p = 0; p < levelsOut; p++) most = Math.max(most, levels[l * sizes.levels + p] as number);
      for (let p = 0; p < levelsOut; p++)
        this.#levelBonus[l * P + p] = scale * Math.max(-8, (levels[l * sizes.levels + p] as number) - most);
    }
    return { setBonus: this.#setBonus, levelBonus: this.#levelBonus };
  }
}
