// A training run: demonstrations of the exact planner, imitation, then fine-tuning by PPO. It goes in units of work.
// Each depends only on the seed, the state that earlier units left and, with a budget in minutes, the clock. It can
// stop after each.
import { defaultDevice, init, numpy as np } from '@jax-js/jax';
import { BedsideError } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { exportPolicy } from '../policy/export.ts';
import {
  initialWeights,
  POLICY_SHAPE,
  type PolicyShape,
  type PolicyWeight,
  type PolicyWeights,
} from '../policy/network.ts';
import { PolicyPlanner } from '../policy/planner.ts';
import { type BatchShape, batchOf } from './batch.ts';
import type { Checkpoint, HistoryRow } from './checkpoint.ts';
import { demonstrationOf, type StoredDemonstration } from './demonstrations.ts';
import { arraysOfBatch, demonstrationArrays, type ImitationStep, imitationStep } from './imitate.ts';
import { rateOf, restoredState, type TrainState, weightsOf } from './optimiser.ts';
import { ValueScale } from './ppo.ts';
import {
  FINETUNE,
  type FinetuneOptions,
  type FinetuneStep,
  finetuneStep,
  RolloutCollector,
  type Rollouts,
  readScores,
  rolloutArrays,
  type ScoreStep,
  scoreStep,
} from './ppo-finetune.ts';
import {
  type Done,
  entropyWeight,
  learningRate,
  type Phase,
  phaseOf,
  shareOf,
  type TrainingBudget,
} from './schedule.ts';
import { keyOf } from './sizes.ts';
import type { RequestSource } from './sources.ts';
import { TrainingSet } from './training-set.ts';
import {
  type GapReport,
  gapsOf,
  VALIDATION_SEED,
  type ValidationRequest,
  validationRequest,
} from './validation.ts';

/** A run's options. */
export interface TrainerOptions {
  readonly source: RequestSource;
  readonly seed: number;
  readonly budget: TrainingBudget;
  readonly network?: PolicyShape | undefined;
  readonly finetune?: Partial<FinetuneOptions> | undefined;
  /** Number of validation requests, on which the gap is measured. */
  readonly validation?: number | undefined;
  readonly from?: Checkpoint | undefined;
}

/** How far a run is. */
export interface TrainProgress {
  readonly phase: Phase;
  /** Of the whole run, 0 to 1. */
  readonly share: number;
  readonly seconds: number;
  readonly secondsLeft: number;
  readonly loss?: number | undefined;
  readonly reward?: number | undefined;
  readonly gap?: number | undefined;
  readonly stepsPerSecond?: number | undefined;
}

const SEEDS_A_UNIT = 50;
const VALIDATION_A_UNIT = 5;
const BATCH = 32;
const ROLLOUT_BATCH = 16;
/** Batches of one iteration of PPO, and passes over them. */
const BATCHES = 8;
const PASSES = 2;
const GAP_EVERY = 10;

/** One run. Call `next` until it gives undefined. */
export class Trainer {
  readonly network: PolicyShape;
  readonly #options: TrainerOptions;
  readonly #finetune: FinetuneOptions;
  readonly #set = new TrainingSet();
  readonly #collector = new RolloutCollector();
  readonly #scale = new ValueScale();
  readonly #initial: PolicyWeights;
  readonly #imitationSteps = new Map<string, ImitationStep>();
  readonly #finetuneSteps = new Map<string, FinetuneStep>();
  readonly #scoreSteps = new Map<string, ScoreStep>();
  readonly #validation: ValidationRequest[] = [];
  readonly #validationDemonstrations: StoredDemonstration[] = [];
  #state: TrainState;
  #history: HistoryRow[] = [];
  #unit = 0;
  #seeds = 0;
  #updates = 0;
  #done: Done = { demonstrations: 0, epochs: 0, iterations: 0, steps: 0, seconds: 0 };
  /** Steps and seconds of improvement in this process. */
  #rolloutSteps = 0;
  #rolloutSeconds = 0;
  #reward = 0;

  private constructor(options: TrainerOptions) {
    this.#options = options;
    this.network = options.network ?? POLICY_SHAPE;
    this.#finetune = { ...FINETUNE, ...options.finetune };
    this.#initial = initialWeights(this.network, new Random(options.seed));
    const zeros: PolicyWeights = new Map(
      [...this.#initial].map(([name, { dims, data }]): [string, PolicyWeight] => [
        name,
        { dims, data: new Float32Array(data.length) },
      ]),
    );
    const { from } = options;
    this.#state = from
      ? restoredState(from.weights, from.mean, from.square)
      : restoredState(this.#initial, zeros, zeros);
    if (from) this.#resume(from);
  }

  /** Makes a run ready: starts the arithmetic, and goes on from a checkpoint if there is one. */
  static async start(options: TrainerOptions): Promise<Trainer> {
    await init('wasm');
    defaultDevice('wasm');
    return new Trainer(options);
  }

  /** Everything as it is, for a file. */
  async checkpoint(fingerprint: string): Promise<Checkpoint> {
    const read = (part: TrainState['mean']) => weightsOf(part, this.#initial);
    return {
      ...{ format: 'bedside-training', version: 1, fingerprint, unit: this.#unit, seeds: this.#seeds },
      labels: this.#set.demonstrations,
      heldBack: this.#validationDemonstrations,
      ...{ updates: this.#updates, steps: this.#done.steps, seconds: this.#done.seconds },
      scale: { mean: this.#scale.mean, square: this.#scale.square, count: this.#scale.count },
      weights: await read(this.#state.parameters),
      mean: await read(this.#state.mean),
      square: await read(this.#state.square),
      history: this.#history,
    };
  }

  /** The weights as they are. */
  weights(): Promise<Map<string, PolicyWeight>> {
    return weightsOf(this.#state.parameters, this.#initial);
  }

  get history(): readonly HistoryRow[] {
    return this.#history;
  }

  get demonstrations(): number {
    return this.#set.demonstrations.length;
  }

  /** Steps of the environment. */
  get steps(): number {
    return this.#done.steps;
  }

  /** Of the environment, in this process, learning from them counted. */
  get stepsPerSecond(): number {
    return this.#rolloutSeconds > 0 ? this.#rolloutSteps / this.#rolloutSeconds : 0;
  }

  /** Of a trial, in the last iteration. */
  get meanReward(): number {
    return this.#reward;
  }

  /** Plans the validation requests with the present weights. */
  async gap(): Promise<GapReport> {
    const model = exportPolicy(this.network, await this.weights());
    const planner = await PolicyPlanner.open(model, 'the policy in training');
    try {
      return await gapsOf(planner, this.#validation);
    } finally {
      await planner.close();
    }
  }

  /** Does one unit of work; undefined when the run is at its end. */
  async next(): Promise<TrainProgress | undefined> {
    const { budget, seed } = this.#options;
    const phase = phaseOf(budget, this.#done);
    if (!phase) return undefined;
    const began = performance.now();
    const random = new Random((seed * 1_000_003 + this.#unit) * 7 + 3);
    const progress = await this.#work(phase, random);
    this.#unit++;
    const took = (performance.now() - began) / 1000;
    const seconds = this.#done.seconds + took;
    this.#done = { ...this.#done, demonstrations: this.demonstrations, seconds };
    if (phase === 'improvement') this.#rolloutSeconds += took;
    const row = this.#history.at(-1);
    if (row && phase !== 'labels')
      this.#history[this.#history.length - 1] = { ...row, seconds: Math.round(seconds * 10) / 10 };
    const share = shareOf(budget, this.#done);
    const secondsLeft = share > 0 ? (seconds / share) * (1 - share) : Number.NaN;
    return { phase, share, seconds, secondsLeft, ...progress };
  }

  #resume(from: Checkpoint): void {
    const { source } = this.#options;
    this.#unit = from.unit;
    this.#seeds = from.seeds;
    this.#updates = from.updates;
    this.#history = [...from.history];
    const rows = (phase: HistoryRow['phase']): number =>
      from.history.filter((row) => row.phase === phase).length;
    Object.assign(this.#scale, from.scale);
    for (const stored of from.labels) this.#set.add(stored, source.at(stored.seed));
    for (const stored of from.heldBack) {
      this.#validationDemonstrations.push(stored);
      this.#validation.push({ instance: source.at(stored.seed), objective: stored.objective });
    }
    this.#done = {
      ...{ demonstrations: this.demonstrations, epochs: rows('imitation'), iterations: rows('improvement') },
      ...{ steps: from.steps, seconds: from.seconds },
    };
  }

  #work(phase: Phase, random: Random): Promise<Partial<TrainProgress>> {
    switch (phase) {
      case 'labels':
        return this.#demonstrate();
      case 'imitation':
        return this.#imitate(random);
      case 'improvement':
        return this.#rollOut(random);
    }
  }

  async #demonstrate(): Promise<Partial<TrainProgress>> {
    const { source, validation: wanted = 40 } = this.#options;
    // A few validation requests with every unit, until there are enough.
    for (let i = 0; i < VALIDATION_A_UNIT && this.#validation.length < wanted; i++) {
      const number = this.#unit * VALIDATION_A_UNIT + i;
      const found = await validationRequest(source, number);
      if (!found) continue;
      this.#validation.push(found);
      const { objective } = found;
      this.#validationDemonstrations.push({
        seed: VALIDATION_SEED + number,
        objective,
        sets: [],
        levels: [],
        prices: [],
      });
    }
    for (let i = 0; i < SEEDS_A_UNIT; i++) {
      const seed = this.#options.seed * 1_000_000 + ++this.#seeds;
      const instance = source.at(seed);
      const stored = await demonstrationOf(seed, instance);
      if (stored) this.#set.add(stored, instance);
    }
    if (this.demonstrations > 0 || this.#seeds < MOST_FRUITLESS) return {};
    throw new BedsideError('E_REQUEST', 'none of the drawn requests has a plan that could be learned from', {
      hint: 'bundles of up to 20 stages and 8 levels can be trained on',
    });
  }

  async #imitate(random: Random): Promise<Partial<TrainProgress>> {
    const batches = this.#set.batches(random, BATCH);
    let sum = 0;
    for (const [at, batch] of batches.entries()) {
      const step = made(this.#imitationSteps, keyOf(batch.shape), () => imitationStep(this.network, BATCH));
      const rate = this.#rate('imitation', at / batches.length);
      const [loss, next] = step(this.#state, demonstrationArrays(this.#set.rowsOf(batch), batch.shape), rate);
      this.#state = next;
      sum += (await loss.data())[0] as number;
    }
    this.#done = { ...this.#done, epochs: this.#done.epochs + 1 };
    const loss = finite(sum / Math.max(1, batches.length), 'imitation');
    const { mean: gap } = await this.gap();
    const { steps } = this.#done;
    this.#history.push({
      ...{ phase: 'imitation', seconds: 0, steps, loss, gap },
      reward: null,
      complete: null,
    });
    return { loss, gap };
  }

  async #rollOut(random: Random): Promise<Partial<TrainProgress>> {
    const began = performance.now();
    const collections: { readonly rollouts: Rollouts; readonly shape: BatchShape }[] = [];
    for (const batch of this.#set.batches(random, ROLLOUT_BATCH).slice(0, BATCHES)) {
      const { shape } = batch;
      const rows = this.#set.rowsOf(batch);
      const step = made(this.#scoreSteps, keyOf(shape), () => scoreStep(this.network));
      const inputs = batchOf(
        rows.map(({ sample }) => sample),
        shape,
      );
      const scores = await readScores(step(this.#parameters(), arraysOfBatch(inputs)));
      const instances = this.#set.instancesOf(batch);
      const collected = { rows, instances, scores, shape };
      const rollouts = this.#collector.run(collected, this.#scale, random, this.#finetune);
      if (rollouts.steps > 0) collections.push({ rollouts, shape });
    }
    this.#scale.update(collections.flatMap(({ rollouts }) => rollouts.returns));
    const loss = await this.#learn(collections);
    const total = (of: (rollouts: Rollouts) => number): number =>
      collections.reduce((all, { rollouts }) => all + of(rollouts), 0);
    const steps = total((t) => t.steps);
    const count = Math.max(
      1,
      total(({ count: own }) => own),
    );
    this.#done = { ...this.#done, iterations: this.#done.iterations + 1, steps: this.#done.steps + steps };
    this.#rolloutSteps += steps;
    this.#reward = total((t) => t.reward) / count;
    const measured = this.#done.iterations % GAP_EVERY === 0 ? (await this.gap()).mean : null;
    this.#history.push({
      ...{ phase: 'improvement', seconds: 0, steps: this.#done.steps, loss, reward: this.#reward },
      ...{ complete: total((t) => t.complete) / count, gap: measured },
    });
    const stepsPerSecond = steps / ((performance.now() - began) / 1000);
    return { loss, reward: this.#reward, stepsPerSecond, ...(measured === null ? {} : { gap: measured }) };
  }

  /** Learns from rollouts in several passes; returns the mean loss. */
  async #learn(
    collections: readonly { readonly rollouts: Rollouts; readonly shape: BatchShape }[],
  ): Promise<number> {
    const entropy = entropyWeight(this.#options.budget, this.#done);
    let sum = 0;
    for (let pass = 0; pass < PASSES; pass++) {
      for (const { rollouts, shape } of collections) {
        const step = made(this.#finetuneSteps, keyOf(shape), () =>
          finetuneStep(this.network, shape, this.#finetune),
        );
        const rate = this.#rate('improvement', 0);
        const [loss, next] = step(this.#state, rolloutArrays(rollouts, shape), rate, np.array(entropy));
        this.#state = next;
        sum += (await loss.data())[0] as number;
      }
    }
    return finite(sum / Math.max(1, PASSES * collections.length), 'improvement');
  }

  #parameters(): TrainState['parameters'] {
    return Object.fromEntries(
      Object.entries(this.#state.parameters).map(([name, value]) => [name, value.ref]),
    );
  }

  /** @param within how much of the epoch that runs is done */
  #rate(phase: 'imitation' | 'improvement', within: number): np.Array {
    this.#updates++;
    const done = { ...this.#done, epochs: this.#done.epochs + within };
    return rateOf(learningRate(phase, this.#options.budget, done, this.#updates), this.#updates);
  }
}

/** Seeds after which there must have been a label. */
const MOST_FRUITLESS = 500;

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
