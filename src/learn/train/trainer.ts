// A training run: labels of the exact planner, imitation, then improvement by trial. It goes in units that depend on
// nothing but the seed, what the units before left and, with a budget in minutes, the clock; after each it can stop.
import { defaultDevice, init, numpy as np } from '@jax-js/jax';
import type { PlanningInstance } from '../../plan/index.ts';
import { BedsideError, Random } from '../../util/index.ts';
import { exportPolicy } from '../policy/export.ts';
import { Features } from '../policy/features.ts';
import { initialWeights, NETWORK, type NetworkShape, type Weight, type Weights } from '../policy/network.ts';
import { PolicyPlanner } from '../policy/planner.ts';
import { type BatchShape, batchOf } from './batch.ts';
import type { Checkpoint, HistoryRow } from './checkpoint.ts';
import { type GapReport, gapsOf, HELD_BACK_SEED, type HeldBack, heldBack } from './held-back.ts';
import {
  arraysOfBatch,
  type ImitationStep,
  imitationStep,
  type Labelled,
  labelledArrays,
} from './imitate.ts';
import {
  IMPROVE,
  type ImproveOptions,
  type ImproveStep,
  improveStep,
  readScores,
  type ScoreStep,
  scoreStep,
  type Trials,
  Trier,
  trialArrays,
} from './improve.ts';
import { labelled, labelOf, type StoredLabel } from './labels.ts';
import { rateOf, restoredState, type TrainState, weightsOf } from './optimiser.ts';
import { ValueScale } from './ppo.ts';
import { keyOf, shapeOf } from './sizes.ts';
import type { RequestSource } from './sources.ts';

/** How long to train. Counts alone make a run that repeats; minutes make one that ends in time. */
export interface Budget {
  /** Labels of the exact planner, epochs of imitation, steps of the environment. */
  readonly labels: number;
  readonly epochs: number;
  readonly steps: number;
  /** Replaces all of them. */
  readonly minutes?: number | undefined;
}

/** A run's options. */
export interface TrainOptions {
  readonly source: RequestSource;
  readonly seed: number;
  readonly budget: Budget;
  readonly network?: NetworkShape | undefined;
  readonly improve?: Partial<ImproveOptions> | undefined;
  /** Requests held back to measure the gap. */
  readonly heldBack?: number | undefined;
  readonly from?: Checkpoint | undefined;
}

/** How far a run is. */
export interface TrainProgress {
  readonly phase: 'labels' | 'imitation' | 'improvement';
  /** Of the whole run, 0 to 1. */
  readonly share: number;
  readonly seconds: number;
  readonly secondsLeft: number;
  readonly loss?: number | undefined;
  readonly reward?: number | undefined;
  readonly gap?: number | undefined;
  readonly stepsPerSecond?: number | undefined;
}

/** Shares of a budget in minutes that labels and imitation end at. */
const LABELS_END = 0.3;
const IMITATION_END = 0.7;
const SEEDS_A_UNIT = 50;
const BATCH = 32;
const TRIED = 16;
/** Batches of one iteration of PPO, and passes over them. */
const BATCHES = 8;
const PASSES = 2;
const RATES = { imitation: 3e-3, improvement: 3e-4, warmUp: 50, least: 0.03 } as const;
const ENTROPY = { first: 0.01, last: 0.001 } as const;
const GAP_EVERY = 10;

/** One run; call `next` until it says that there is no more. */
export class Trainer {
  readonly #options: TrainOptions;
  readonly #network: NetworkShape;
  readonly #improve: ImproveOptions;
  readonly #features = new Features();
  readonly #trier = new Trier();
  readonly #scale = new ValueScale();
  readonly #initial: Weights;
  readonly #rows: Labelled[] = [];
  readonly #instances: PlanningInstance[] = [];
  readonly #imitationSteps = new Map<string, ImitationStep>();
  readonly #improveSteps = new Map<string, ImproveStep>();
  readonly #scoreSteps = new Map<string, ScoreStep>();
  #state: TrainState;
  #labels: StoredLabel[] = [];
  #heldBackLabels: StoredLabel[] = [];
  #heldBack: HeldBack[] = [];
  #history: HistoryRow[] = [];
  #unit = 0;
  #seeds = 0;
  #epochs = 0;
  #iterations = 0;
  #updates = 0;
  #steps = 0;
  #seconds = 0;
  #improveSeconds = 0;
  #reward = 0;
  #gap: GapReport | undefined;

  private constructor(options: TrainOptions) {
    this.#options = options;
    this.#network = options.network ?? NETWORK;
    this.#improve = { ...IMPROVE, ...options.improve };
    this.#initial = initialWeights(this.#network, new Random(options.seed));
    const zeros: Weights = new Map(
      [...this.#initial].map(([name, { dims, data }]): [string, Weight] => [
        name,
        { dims, data: new Float32Array(data.length) },
      ]),
    );
    const from = options.from;
    this.#state = from
      ? restoredState(from.weights, from.mean, from.square)
      : restoredState(this.#initial, zeros, zeros);
  }

  /** Makes a run ready: starts the arithmetic, and goes on from a checkpoint if there is one. */
  static async start(options: TrainOptions): Promise<Trainer> {
    await init('wasm');
    defaultDevice('wasm');
    const trainer = new Trainer(options);
    await trainer.#resume();
    return trainer;
  }

  async #resume(): Promise<void> {
    const { from, source } = this.#options;
    if (!from) return;
    this.#unit = from.unit;
    this.#seeds = from.seeds;
    this.#updates = from.updates;
    this.#steps = from.steps;
    this.#seconds = from.seconds;
    this.#history = [...from.history];
    this.#epochs = from.history.filter(({ phase }) => phase === 'imitation').length;
    this.#iterations = from.history.filter(({ phase }) => phase === 'improvement').length;
    Object.assign(this.#scale, from.scale);
    for (const stored of from.labels) this.#keep(stored, source.at(stored.seed));
    for (const { seed, objective } of from.heldBack) {
      this.#heldBackLabels.push({ seed, objective, sets: [], levels: [], prices: [] });
      this.#heldBack.push({ instance: source.at(seed), objective });
    }
  }

  /** Everything as it is, for a file. */
  async checkpoint(fingerprint: string): Promise<Checkpoint> {
    const read = (part: TrainState['mean']) => weightsOf(part, this.#initial);
    return {
      ...{ format: 'bedside-training', version: 1, fingerprint, unit: this.#unit, seeds: this.#seeds },
      labels: this.#labels,
      heldBack: this.#heldBackLabels,
      ...{ updates: this.#updates, steps: this.#steps, seconds: this.#seconds },
      scale: { mean: this.#scale.mean, square: this.#scale.square, count: this.#scale.count },
      weights: await read(this.#state.parameters),
      mean: await read(this.#state.mean),
      square: await read(this.#state.square),
      history: this.#history,
    };
  }

  /** The weights as they are. */
  weights(): Promise<Map<string, Weight>> {
    return weightsOf(this.#state.parameters, this.#initial);
  }

  get network(): NetworkShape {
    return this.#network;
  }

  get history(): readonly HistoryRow[] {
    return this.#history;
  }

  get labels(): number {
    return this.#labels.length;
  }

  /** Steps of the environment, and how many a second improvement made; its last mean reward. */
  get steps(): number {
    return this.#steps;
  }

  get stepsPerSecond(): number {
    return this.#improveSeconds > 0 ? this.#tried / this.#improveSeconds : 0;
  }

  #tried = 0;

  get meanReward(): number {
    return this.#reward;
  }

  /** Plans the held-back requests with the weights as they are. */
  async gap(): Promise<GapReport> {
    const planner = await PolicyPlanner.open(
      exportPolicy(this.#network, await this.weights()),
      'the policy in training',
    );
    try {
      this.#gap = await gapsOf(planner, this.#heldBack);
      return this.#gap;
    } finally {
      await planner.close();
    }
  }

  /** Does one unit of work; undefined when the run is at its end. */
  async next(): Promise<TrainProgress | undefined> {
    const phase = this.#phase();
    if (!phase) return undefined;
    const began = performance.now();
    const random = new Random((this.#options.seed * 1_000_003 + this.#unit) * 7 + 3);
    const progress =
      phase === 'labels'
        ? await this.#label()
        : phase === 'imitation'
          ? await this.#imitate(random)
          : await this.#try(random);
    this.#unit++;
    const took = (performance.now() - began) / 1000;
    this.#seconds += took;
    if (phase === 'improvement') this.#improveSeconds += took;
    const row = this.#history.at(-1);
    if (row && phase !== 'labels')
      this.#history[this.#history.length - 1] = { ...row, seconds: Math.round(this.#seconds * 10) / 10 };
    const share = this.#share();
    const left = share > 0 ? (this.#seconds / share) * (1 - share) : Number.NaN;
    return { phase, share, seconds: this.#seconds, secondsLeft: left, ...progress };
  }

  /** What comes next. */
  #phase(): TrainProgress['phase'] | undefined {
    const { budget } = this.#options;
    if (budget.minutes !== undefined) {
      const share = this.#seconds / (60 * budget.minutes);
      if (share < LABELS_END && this.#epochs === 0) return 'labels';
      if (share < IMITATION_END && this.#iterations === 0) return 'imitation';
      return share < 1 ? 'improvement' : undefined;
    }
    if (this.#labels.length < budget.labels) return 'labels';
    if (this.#epochs < budget.epochs) return 'imitation';
    return this.#steps < budget.steps ? 'improvement' : undefined;
  }

  /** How much of a phase is done, 0 to 1. */
  #phaseShare(phase: 'imitation' | 'improvement'): number {
    const { budget } = this.#options;
    if (budget.minutes === undefined)
      return phase === 'imitation' ? this.#epochs / budget.epochs : Math.min(1, this.#steps / budget.steps);
    const share = this.#seconds / (60 * budget.minutes);
    const [low, high] = phase === 'imitation' ? [LABELS_END, IMITATION_END] : [IMITATION_END, 1];
    return Math.min(1, Math.max(0, (share - low) / (high - low)));
  }

  /** Of the whole run. */
  #share(): number {
    const { budget } = this.#options;
    if (budget.minutes !== undefined) return Math.min(1, this.#seconds / (60 * budget.minutes));
    const part = (done: number, all: number): number => (all > 0 ? Math.min(1, done / all) : 1);
    return (
      LABELS_END * part(this.#labels.length, budget.labels) +
      (IMITATION_END - LABELS_END) * part(this.#epochs, budget.epochs) +
      (1 - IMITATION_END) * part(this.#steps, budget.steps)
    );
  }

  async #label(): Promise<Partial<TrainProgress>> {
    const { source, heldBack: wanted = 40 } = this.#options;
    // A few held-back requests with every unit, until there are enough.
    for (let i = 0; i < 5 && this.#heldBack.length < wanted; i++) {
      const number = this.#unit * 5 + i;
      const found = await heldBack(source, number);
      if (!found) continue;
      this.#heldBack.push(found);
      this.#heldBackLabels.push({
        ...{ seed: HELD_BACK_SEED + number, objective: found.objective },
        ...{ sets: [], levels: [], prices: [] },
      });
    }
    for (let i = 0; i < SEEDS_A_UNIT; i++) {
      const seed = this.#options.seed * 1_000_000 + ++this.#seeds;
      const instance = source.at(seed);
      const stored = await labelOf(seed, instance);
      if (stored) this.#keep(stored, instance);
    }
    return {};
  }

  #keep(stored: StoredLabel, instance: PlanningInstance): void {
    const row = labelled(instance, stored, this.#features);
    if (!shapeOf(row.sample, BATCH)) return;
    this.#labels.push(stored);
    this.#rows.push(row);
    this.#instances.push(instance);
  }

  /** Rows of one class each, in a random order. */
  #batches(random: Random, size: number): { readonly shape: BatchShape; readonly rows: readonly number[] }[] {
    const classes = new Map<string, { shape: BatchShape; rows: number[] }>();
    this.#rows.forEach(({ sample }, at) => {
      const shape = shapeOf(sample, size);
      if (!shape) return;
      const known = classes.get(keyOf(shape));
      if (known) known.rows.push(at);
      else classes.set(keyOf(shape), { shape, rows: [at] });
    });
    const batches = [...classes.values()].flatMap(({ shape, rows }) => {
      random.shuffle(rows);
      return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => {
        // The last batch is filled up from the first.
        const own = rows.slice(i * size, (i + 1) * size);
        return { shape, rows: own.length === size ? own : [...own, ...rows.slice(0, size - own.length)] };
      });
    });
    return random.shuffle(batches);
  }

  #rowsAt(rows: readonly number[]): Labelled[] {
    return rows.map((at) => this.#rows[at] as Labelled);
  }

  async #imitate(random: Random): Promise<Partial<TrainProgress>> {
    const batches = this.#batches(random, BATCH);
    if (batches.length === 0) throw noLabels();
    let sum = 0;
    for (const { shape, rows } of batches) {
      const step = made(this.#imitationSteps, keyOf(shape), () => imitationStep(this.#network, BATCH));
      const rate = this.#rate(
        'imitation',
        (this.#updates % batches.length) / batches.length / Math.max(1, this.#options.budget.epochs),
      );
      const [loss, next] = step(this.#state, labelledArrays(this.#rowsAt(rows), shape), rate);
      this.#state = next;
      sum += (await loss.data())[0] as number;
    }
    this.#epochs++;
    const loss = finite(sum / batches.length, 'imitation');
    const { mean } = await this.gap();
    this.#history.push({
      phase: 'imitation',
      seconds: 0,
      steps: this.#steps,
      loss,
      reward: null,
      complete: null,
      gap: mean,
    });
    return { loss, gap: mean };
  }

  async #try(random: Random): Promise<Partial<TrainProgress>> {
    const batches = this.#batches(random, TRIED).slice(0, BATCHES);
    if (batches.length === 0) throw noLabels();
    const began = performance.now();
    const tried: { readonly trials: Trials; readonly shape: BatchShape }[] = [];
    for (const { shape, rows } of batches) {
      const own = this.#rowsAt(rows);
      const step = made(this.#scoreSteps, keyOf(shape), () => scoreStep(this.#network));
      const parameters = Object.fromEntries(
        Object.entries(this.#state.parameters).map(([name, value]) => [name, value.ref]),
      );
      const inputs = arraysOfBatch(
        batchOf(
          own.map(({ sample }) => sample),
          shape,
        ),
      );
      const scores = await readScores(step(parameters, inputs));
      const instances = rows.map((at) => this.#instances[at] as PlanningInstance);
      const trials = this.#trier.run(own, instances, scores, shape, this.#scale, random, this.#improve);
      tried.push({ trials, shape });
    }
    this.#scale.update(tried.flatMap(({ trials }) => trials.returns));
    const { first, last } = ENTROPY;
    const entropy = first + (last - first) * this.#phaseShare('improvement');
    let sum = 0;
    for (let pass = 0; pass < PASSES; pass++) {
      for (const { trials, shape } of tried) {
        if (trials.steps === 0) continue;
        const step = made(this.#improveSteps, keyOf(shape), () =>
          improveStep(this.#network, shape, this.#improve),
        );
        const arrays = trialArrays(trials, shape);
        const [loss, next] = step(this.#state, arrays, this.#rate('improvement', 0), np.array(entropy));
        this.#state = next;
        sum += (await loss.data())[0] as number;
      }
    }
    const total = (of: (trials: Trials) => number): number =>
      tried.reduce((all, { trials }) => all + of(trials), 0);
    const [steps, count] = [
      total((t) => t.steps),
      Math.max(
        1,
        total((t) => t.count),
      ),
    ];
    this.#steps += steps;
    this.#tried += steps;
    this.#iterations++;
    this.#reward = total((t) => t.reward) / count;
    const loss = finite(sum / (PASSES * tried.length), 'improvement');
    const measured = this.#iterations % GAP_EVERY === 0 ? (await this.gap()).mean : null;
    this.#history.push({
      ...{ phase: 'improvement', seconds: 0, steps: this.#steps, loss, reward: this.#reward },
      ...{ complete: total((t) => t.complete) / count, gap: measured },
    });
    const stepsPerSecond = steps / ((performance.now() - began) / 1000);
    return { loss, reward: this.#reward, stepsPerSecond, ...(measured === null ? {} : { gap: measured }) };
  }

  /** Falls as a cosine within each phase, after a warm-up. */
  #rate(phase: 'imitation' | 'improvement', within: number): np.Array {
    this.#updates++;
    const share = Math.min(1, this.#phaseShare(phase) + within);
    const cosine = RATES.least + (1 - RATES.least) * 0.5 * (1 + Math.cos(Math.PI * share));
    return rateOf(RATES[phase] * cosine * Math.min(1, this.#updates / RATES.warmUp), this.#updates);
  }
}

function made<T>(map: Map<string, T>, key: string, make: () => T): T {
  const known = map.get(key);
  if (known !== undefined) return known;
  const value = make();
  map.set(key, value);
  return value;
}

function finite(value: number, phase: string): number {
  if (Number.isFinite(value)) return value;
  throw new BedsideError('E_INTERNAL', `internal: the loss of ${phase} is ${value}`);
}

function noLabels(): BedsideError {
  return new BedsideError('E_REQUEST', 'none of the drawn requests has a plan that could be learned from', {
    hint: 'bundles of up to 20 stages and 8 levels can be trained on',
  });
}
