// A shared model opened once for many measurements: its groups, its local samples, a fixed part of its test samples.

import { findGroups, type Grouping, type KeptUnits, sliceModel } from '../../src/channels/index.ts';
import { type Dataset, openDataset, subset } from '../../src/data/index.ts';
import { selectIndices } from '../../src/data/internal.ts';
import type { Evaluation } from '../../src/evaluate/index.ts';
import { agreementOf, evaluateModel } from '../../src/evaluate/internal.ts';
import type { Criterion, LayerScores } from '../../src/explain/index.ts';
import { canonicalModel, loadModel, type Model, modelCosts } from '../../src/onnx/index.ts';
import { findCriterion, selectGlobal, selectUniform } from '../../src/prune/index.ts';
import { autoCriterion, rankAuto, scoreLayers, unitScores } from '../../src/prune/internal.ts';
import { must } from '../../src/util/index.ts';
import { dataPath, modelPath, SHARED_MODELS } from '../lib/shared.ts';
import { type Cell, type Measured, rounded } from './cells.ts';
import { AUTO, GOAL_RATIOS, type Job, NO_SAMPLES, RATIOS, UNPRUNED } from './plan.ts';

/** Test samples a class, drawn once for the whole study. */
export const TEST_PER_CLASS: Readonly<Record<string, number>> = { 'medical-mnist': 40, mitdb: 120 };
const TEST_SEED = 2026;
const SCORE_BATCH = 32;
// Divides the numbers of test samples; small, because an evaluation warms up with one batch.
const TEST_BATCH = 30;

/** One of the shared models, ready to be scored, cut and measured. */
export class StudiedModel {
  readonly name: string;
  readonly model: Model;
  readonly grouping: Grouping;
  readonly local: Dataset;
  readonly test: Dataset;
  readonly base: Evaluation;
  readonly #macs: number;

  private constructor(
    name: string,
    model: Model,
    grouping: Grouping,
    local: Dataset,
    test: Dataset,
    base: Evaluation,
  ) {
    this.name = name;
    this.model = model;
    this.grouping = grouping;
    this.local = local;
    this.test = test;
    this.base = base;
    this.#macs = modelCosts(model).macs;
  }

  static async open(name: string): Promise<StudiedModel> {
    const shared = must(
      SHARED_MODELS.find((candidate) => candidate.name === name),
      `no shared model ${name}`,
    );
    const model = canonicalModel(await loadModel(modelPath(name)));
    const options = { sampleShape: shared.sampleShape, classes: shared.classes } as const;
    const path = dataPath(shared.data);
    const local = await openDataset(path, { ...options, seed: 1, split: 'local' });
    const test = await openDataset(path, {
      ...options,
      seed: TEST_SEED,
      split: 'test',
      perClass: TEST_PER_CLASS[shared.data],
    });
    const base = await evaluateModel(model, test, { name, batch: TEST_BATCH });
    return new StudiedModel(name, model, findGroups(model), local, test, base);
  }

  /** Local samples of every class, drawn by the seed; fewer samples of the same seed are part of more. */
  calibration(perClass: number, seed: number): Dataset {
    const { size, labels, name } = this.local;
    return subset(this.local, selectIndices(size, labels, { perClass, seed }, name));
  }

  /** Scores once and measures every ratio. */
  async run(job: Job): Promise<Cell> {
    if (job.criterion === UNPRUNED) return this.#unpruned(job);
    if (job.criterion === AUTO) return this.#auto(job);
    const began = performance.now();
    const criterion = findCriterion(job.criterion);
    const calibration = this.calibration(job.size === NO_SAMPLES ? 1 : job.size, job.seed);
    const forwardMs = criterion.needsSamples ? await this.#forward(calibration) : null;
    const { layers, seconds, msPerSample } = await this.score(criterion, calibration, job.seed);
    const global = job.mode === 'global';
    const scores = unitScores(this.grouping, layers, { normalise: global ? 'l2' : 'none' });
    const measured: Measured[] = [];
    for (const ratio of RATIOS) {
      const select = global ? selectGlobal : selectUniform;
      measured.push(await this.#measure(select(this.grouping, scores, { ratio, block: 1 })));
    }
    return {
      ...job,
      measured,
      samples: criterion.needsSamples ? calibration.size : 0,
      scoreSeconds: rounded(seconds, 3),
      msPerSample,
      forwardMs,
      seconds: rounded((performance.now() - began) / 1000, 1),
    };
  }

  /** Scores of every layer, with the time it took: in all, and for each sample once the first batch is through. */
  async score(
    criterion: Criterion,
    calibration: Dataset,
    seed: number,
  ): Promise<{ layers: readonly LayerScores[]; seconds: number; msPerSample: number | null }> {
    const began = performance.now();
    let first: { at: number; done: number } | undefined;
    let last = { at: began, done: 0 };
    const layers = await scoreLayers(this.model, criterion, calibration, {
      name: this.name,
      batch: SCORE_BATCH,
      threads: 1,
      seed,
      onProgress: (done) => {
        last = { at: performance.now(), done };
        first ??= last;
      },
    });
    const seconds = (performance.now() - began) / 1000;
    // Without the first batch, which also pays for warming up.
    const timed = first ? last.done - first.done : 0;
    const msPerSample = first && timed >= SCORE_BATCH ? rounded((last.at - first.at) / timed, 3) : null;
    return { layers, seconds, msPerSample };
  }

  /** The model without a share of every group, by scores of its layers. */
  cutUniformly(layers: readonly LayerScores[], ratio: number): Model {
    const keep = selectUniform(this.grouping, unitScores(this.grouping, layers), { ratio, block: 1 });
    return sliceModel(this.model, this.grouping, keep);
  }

  /** A (cut) model on samples. */
  evaluate(model: Model, test: Dataset): Promise<Evaluation> {
    return evaluateModel(model, test, { name: this.name, batch: TEST_BATCH, threads: 1 });
  }

  /** The choice that is made anew at each of the goal's ratios. */
  async #auto(job: Job): Promise<Cell> {
    const began = performance.now();
    const calibration = this.calibration(job.size, job.seed);
    const ranking = rankAuto(this.model, {
      name: this.name,
      criterion: autoCriterion(),
      calibration,
      block: 1,
      batch: SCORE_BATCH,
      threads: 1,
      seed: job.seed,
    });
    const measured: (Measured | null)[] = [];
    const picks: string[] = [];
    for (const ratio of RATIOS) {
      if (!GOAL_RATIOS.includes(ratio)) {
        measured.push(null);
        continue;
      }
      const { keep, choice } = await ranking.prune({ ratio });
      picks.push(choice.criterion.name);
      measured.push(await this.#measure(keep));
    }
    const seconds = rounded((performance.now() - began) / 1000, 1);
    const times = { scoreSeconds: seconds, msPerSample: null, forwardMs: null, seconds };
    return { ...job, measured, picks, samples: calibration.size, ...times };
  }

  #unpruned(job: Job): Cell {
    const whole = RATIOS.map((): Measured => [rounded(this.base.balancedAccuracy), 1, 1]);
    const nothing = { samples: 0, scoreSeconds: 0, msPerSample: null, forwardMs: null, seconds: 0 };
    return { ...job, measured: whole, ...nothing };
  }

  async #measure(keep: KeptUnits): Promise<Measured> {
    const cut = sliceModel(this.model, this.grouping, keep);
    const { balancedAccuracy, predictions } = await this.evaluate(cut, this.test);
    return [
      rounded(balancedAccuracy),
      rounded(agreementOf(predictions, this.base.predictions)),
      rounded(modelCosts(cut).macs / this.#macs),
    ];
  }

  /** Milliseconds a sample of the model alone, in batches as criteria run them; null for too few samples. */
  async #forward(samples: Dataset): Promise<number | null> {
    if (samples.size < 2 * SCORE_BATCH) return null;
    const { msPerSample } = await evaluateModel(this.model, samples, {
      name: this.name,
      batch: SCORE_BATCH,
      threads: 1,
    });
    return rounded(msPerSample, 3);
  }
}
