// A narrow beam of partial plans. They are ranked by their cost under prices, the cheapest rest from there on, and the
// network's scores. Costs and limits are exact.
import {
  accuracyCost,
  innerOf,
  levelOutOf,
  type PlanningInstance,
  SLACK_FACTOR,
  type StageDecision,
  type StageInstance,
} from '../../plan/internal.ts';
import type { CandidatePass } from './candidate-pass.ts';
import { type CandidateProgram, grown } from './candidate-program.ts';
import { emptyStep, PartialPlans } from './partial-plans.ts';
import type { Reach } from './reach.ts';

/** How candidates are searched. */
export interface BeamOptions {
  /** Partial plans kept a stage. */
  readonly beam: number;
  /** Partial plans with the same set and level, at most. */
  readonly same: number;
  /**
   * `[stage * width + k]` and `[stage * levels + p]`: what the network thinks, in the objective's unit: 0 for the best,
   * less for others.
   */
  readonly setBonus?: Float64Array | undefined;
  readonly levelBonus?: Float64Array | undefined;
}

/** What one run searches. */
interface Searched {
  readonly program: CandidateProgram;
  readonly pass: CandidatePass;
  readonly reach: Reach;
  readonly options: BeamOptions;
  readonly instance: PlanningInstance;
}

/** Beam search with arrays that are kept from one request to the next. */
export class Beam {
  #here = new PartialPlans();
  #next = new PartialPlans();
  /** By row of the current layer: price so far. */
  #priced = new Float64Array(0);
  #nextPriced = new Float64Array(0);
  /** `[stage * beam + row]`: where it came from, its candidate, its choice. */
  #parent = new Int32Array(0);
  #set = new Int32Array(0);
  #choice = new Int32Array(0);
  /** A max-heap of the best extensions of a layer. */
  #score = new Float64Array(0);
  #entry = new Int32Array(0);
  #heap = 0;
  /** Entries that the heap keeps, at most. */
  #most = 0;
  #from = new Int32Array(0);
  #k = new Int32Array(0);
  #c = new Int32Array(0);
  #time = new Float64Array(0);
  #price = new Float64Array(0);
  #same = new Int32Array(0);
  readonly #step = emptyStep();
  /** The best plan of the last run. */
  objective = Number.POSITIVE_INFINITY;

  /** The best plan found that keeps every limit, or undefined. */
  run(
    program: CandidateProgram,
    pass: CandidatePass,
    reach: Reach,
    options: BeamOptions,
  ): StageDecision[] | undefined {
    const instance = program.instance as PlanningInstance;
    const { stages: L, devices: D } = program;
    const { beam } = options;
    const searched = { program, pass, reach, options, instance };
    this.#reserve(program, beam);
    this.#here.clear(0, D);
    this.#priced[0] = 0;
    let rows = 1;
    for (let l = 0; l < L && rows > 0; l++) {
      this.#heap = 0;
      this.#most = Math.min(this.#entry.length, MOST_ENTRIES * beam);
      for (let row = 0; row < rows; row++) this.#extend(searched, l, row);
      rows = this.#keep(program, reach, options, l);
      [this.#here, this.#next] = [this.#next, this.#here];
      [this.#priced, this.#nextPriced] = [this.#nextPriced, this.#priced];
    }
    return this.#best(program, instance, rows, beam);
  }

  #reserve(program: CandidateProgram, beam: number): void {
    const { stages: L, devices: D, width, levels } = program;
    this.#here.reserve(beam + 1, D);
    this.#next.reserve(beam + 1, D);
    this.#priced = grown(this.#priced, beam + 1);
    this.#nextPriced = grown(this.#nextPriced, beam + 1);
    this.#parent = grown(this.#parent, L * beam);
    this.#set = grown(this.#set, L * beam);
    this.#choice = grown(this.#choice, L * beam);
    const entries = MOST_ENTRIES * beam;
    this.#score = grown(this.#score, entries);
    this.#entry = grown(this.#entry, entries);
    this.#from = grown(this.#from, entries);
    this.#k = grown(this.#k, entries);
    this.#c = grown(this.#c, entries);
    this.#time = grown(this.#time, entries);
    this.#price = grown(this.#price, entries);
    this.#same = grown(this.#same, width * levels);
  }

  /** Offers to the heap the extensions of a row that are in time, above the floor and good enough. */
  #extend({ program, pass, reach, options, instance }: Searched, l: number, row: number): void {
    const { setBonus, levelBonus } = options;
    const most = this.#most;
    const { width, levels, count, out, steps, macs, weight, latest } = program;
    const { toGo, node, hop, time } = pass;
    const here = this.#here;
    const level = here.level[row] as number;
    const before = here.set[row] as number;
    const priced = this.#priced[row] as number;
    const left = instance.deadline * SLACK_FACTOR - (here.seconds[row] as number);
    const lossLeft = program.most - (here.steps[row] as number);
    const bytes = l === 0 ? 0 : (program.sent[((l - 1) * width + before) * levels + level] as number);
    const [first, C] = [program.choiceBase[l] as number, program.choices(l)];
    const from = program.start[l * (levels + 1) + level] as number;
    const to = program.start[l * (levels + 1) + level + 1] as number;
    for (let k = 0; k < (count[l] as number); k++) {
      const at = l * width + k;
      const arrive = l === 0 ? 0 : here.arrival(program, row, l, k);
      const hopPrice = l === 0 ? 0 : bytes * (hop[(l * width + before) * width + k] as number);
      const bonus = setBonus ? (setBonus[at] as number) : 0;
      const base = priced + hopPrice - bonus;
      const worst =
        this.#heap < most ? Number.POSITIVE_INFINITY : (this.#score[this.#entry[0] as number] as number);
      // Nothing of this set can be better than the worst that is kept.
      if (base + time * arrive + (node[at * levels + level] as number) > worst) continue;
      const set = program.sets[at] as readonly number[];
      const single = set.length === 1;
      if (!single) here.receive(program, row, l, k);
      const timeRow = (program.timeBase[l] as number) + k * C - first;
      const mac = pass.perMac[at] as number;
      const byte = pass.perByte[at] as number;
      for (let c = from; c < to; c++) {
        const own = latest[timeRow + c] as number;
        const lost = steps[c] as number;
        const state = at * levels + (out[c] as number);
        if (own === Number.POSITIVE_INFINITY || lost + (reach.steps[state] as number) > lossLeft) continue;
        const seconds = single ? arrive + own : here.membersSeconds(program, l, set, c);
        if (!(seconds + (reach.seconds[state] as number) <= left)) continue;
        const price =
          priced +
          hopPrice +
          time * seconds +
          mac * (macs[c] as number) +
          byte * (weight[c] as number) +
          pass.step * lost;
        let score = price + (toGo[state] as number) - bonus;
        if (levelBonus) score -= levelBonus[l * levels + (out[c] as number)] as number;
        this.#offer(score, row, k, c, seconds, price);
      }
    }
  }

  /** Takes an extension into the heap if it is among the best. */
  #offer(score: number, row: number, k: number, c: number, seconds: number, price: number): void {
    const most = this.#most;
    let slot: number;
    if (this.#heap < most) {
      slot = this.#heap;
      this.#score[slot] = score;
      let i = this.#heap++;
      // Up.
      while (i > 0) {
        const parent = (i - 1) >> 1;
        const other = this.#entry[parent] as number;
        if ((this.#score[other] as number) >= score) break;
        this.#entry[i] = other;
        i = parent;
      }
      this.#entry[i] = slot;
    } else {
      slot = this.#entry[0] as number;
      if (score >= (this.#score[slot] as number)) return;
      this.#score[slot] = score;
      this.#down(slot, most);
    }
    this.#from[slot] = row;
    this.#k[slot] = k;
    this.#c[slot] = c;
    this.#time[slot] = seconds;
    this.#price[slot] = price;
  }

  /** Sinks a slot from the root of a heap of `count` entries. */
  #down(slot: number, count: number): void {
    const score = this.#score[slot] as number;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= count) break;
      if (
        child + 1 < count &&
        (this.#score[this.#entry[child + 1] as number] as number) >
          (this.#score[this.#entry[child] as number] as number)
      )
        child++;
      const other = this.#entry[child] as number;
      if ((this.#score[other] as number) <= score) break;
      this.#entry[i] = other;
      i = child;
    }
    this.#entry[i] = slot;
  }

  /** Makes rows of the best extensions that keep the devices' limits; returns their number. */
  #keep(program: CandidateProgram, reach: Reach, options: BeamOptions, l: number): number {
    // Heap sort: the best comes first.
    for (let end = this.#heap - 1; end > 0; end--) {
      const worst = this.#entry[0] as number;
      const last = this.#entry[end] as number;
      this.#down(last, end);
      this.#entry[end] = worst;
    }
    const { beam, same } = options;
    const { levels, width } = program;
    this.#same.fill(0, 0, width * levels);
    const step = this.#step;
    step.l = l;
    let rows = 0;
    for (let i = 0; i < this.#heap && rows < beam; i++) {
      const slot = this.#entry[i] as number;
      const [row, k, c] = [this.#from[slot] as number, this.#k[slot] as number, this.#c[slot] as number];
      const state = k * levels + (program.out[c] as number);
      if ((this.#same[state] as number) >= same) continue;
      step.k = k;
      step.position = c;
      step.seconds = this.#time[slot] as number;
      if (!this.#here.extend(program, row, step, this.#next, rows)) continue;
      if (!reach.lasts(program, this.#next, l, rows)) continue;
      this.#same[state] = (this.#same[state] as number) + 1;
      const at = l * beam + rows;
      this.#parent[at] = row;
      this.#set[at] = k;
      this.#choice[at] = c;
      this.#nextPriced[rows] = this.#price[slot] as number;
      rows++;
    }
    return rows;
  }

  /** The best plan of the last stage, the result's way home included. */
  #best(
    program: CandidateProgram,
    instance: PlanningInstance,
    rows: number,
    beam: number,
  ): StageDecision[] | undefined {
    const { width, levels, stages: L, devices: D } = program;
    const { time, energy } = instance.weights;
    const here = this.#here;
    const source = [instance.source];
    this.objective = Number.POSITIVE_INFINITY;
    let best = -1;
    for (let row = 0; row < rows; row++) {
      const set = here.set[row] as number;
      const at = (L - 1) * width + set;
      const state = at * levels + (here.level[row] as number);
      const seconds = program.home[set * levels + (here.level[row] as number)] as number;
      if (!((here.seconds[row] as number) + seconds <= instance.deadline * SLACK_FACTOR)) continue;
      const bytes = program.sent[state] as number;
      const joules = here.hop(instance, row * D, program.sets[at] as readonly number[], source, bytes);
      if (joules < 0) continue;
      const objective =
        (here.cost[row] as number) +
        time * seconds +
        energy * joules +
        accuracyCost(instance, here.steps[row] as number);
      if (objective < this.objective) {
        this.objective = objective;
        best = row;
      }
    }
    if (best < 0) return undefined;
    const decisions: StageDecision[] = new Array(L);
    for (let l = L - 1; l >= 0; l--) {
      const at = l * beam + best;
      decisions[l] = decisionOf(program, l, this.#set[at] as number, this.#choice[at] as number);
      best = this.#parent[at] as number;
    }
    return decisions;
  }
}

/** Extensions kept for each place of the beam: some break a device's limit. */
const MOST_ENTRIES = 4;

/** A candidate and a choice as a decision. */
export function decisionOf(program: CandidateProgram, l: number, k: number, position: number): StageDecision {
  const stage = (program.instance as PlanningInstance).stages[l] as StageInstance;
  const choice = program.choice[position] as number;
  return {
    set: program.setAt[l * program.width + k] as number,
    inner: innerOf(stage, choice),
    level: levelOutOf(stage, choice),
  };
}
