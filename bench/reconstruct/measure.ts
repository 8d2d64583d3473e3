// One job of the study: a calibration draw, repaired in every way, measured on a fixed part of the test samples.
import { findGroups, type Grouping, sliceModel } from '../../src/channels/index.ts';
import { macsCounter, reorderChannels } from '../../src/channels/internal.ts';
import { type Dataset, openDataset } from '../../src/data/index.ts';
import { evaluateModel } from '../../src/evaluate/internal.ts';
import type { Criterion } from '../../src/explain/index.ts';
import { canonicalModel, loadModel, type Model, modelCosts } from '../../src/onnx/index.ts';
import { PACK_RATIOS } from '../../src/pack/index.ts';
import { AffineCorrector, CHOSEN_AT, describeModel } from '../../src/pack/internal.ts';
import { findCriterion, type PruneAmount, rankModel } from '../../src/prune/index.ts';
import { alignedCount, autoCriterion, rankAuto } from '../../src/prune/internal.ts';
import { repair } from '../../src/repair/index.ts';
import { DraftBundle, repairTables, withBiases } from '../../src/repair/internal.ts';
import { must } from '../../src/util/index.ts';
import { Random } from '../../src/util/internal.ts';
import { rounded } from '../criteria/cells.ts';
import { dataPath, modelPath, SHARED_MODELS } from '../lib/shared.ts';
import { type Cell, DRAWS, type Figure, FRACTIONS, type Job, MIXES } from './plan.ts';

const THREADS = 2;
const AUTO = autoCriterion();

/** Does a job. */
export async function measureJob(job: Job): Promise<Cell> {
  const began = performance.now();
  const shared = must(
    SHARED_MODELS.find(({ name }) => name === job.model),
    `no model '${job.model}'`,
  );
  const { name, data, sampleShape, classes } = shared;
  const model = withBiases(canonicalModel(await loadModel(modelPath(name))));
  const open = (split: 'local' | 'test', perClass: number, seed: number) =>
    openDataset(dataPath(data), { sampleShape, classes, split, perClass, seed });
  const calibration = await open('local', job.size, job.seed);
  // As many of each class as the rarest has on mitdb; a part of the images.
  const test = await open('test', data === 'mitdb' ? 187 : 50, 1);
  const study = new Study(model, name, calibration, test, job);
  const unpruned = await study.accuracy(model);
  const figures = [...(await study.sequential()), ...(await study.composed())];
  return {
    ...job,
    unpruned: rounded(unpruned),
    figures,
    ...(job.criterion === 'auto' ? { picks: study.picks } : {}),
    sequentialSeconds: rounded(mean(study.sequentialSeconds), 2),
    tableSeconds: rounded(study.tableSeconds, 2),
    correctionSeconds: rounded(mean(study.correctionSeconds), 3),
    lowRankSeconds: rounded(mean(study.lowRankSeconds), 2),
    seconds: rounded((performance.now() - began) / 1000, 1),
  };
}

class Study {
  readonly picks: string[] = [];
  readonly sequentialSeconds: number[] = [];
  readonly correctionSeconds: number[] = [];
  readonly lowRankSeconds: number[] = [];
  tableSeconds = 0;
  readonly #model: Model;
  readonly #grouping: Grouping;
  readonly #test: Dataset;
  readonly #job: Job;
  readonly #common: { name: string; calibration: Dataset; threads: number; batch: number; seed: number };

  constructor(model: Model, name: string, calibration: Dataset, test: Dataset, job: Job) {
    this.#model = model;
    this.#grouping = findGroups(model);
    this.#test = test;
    this.#job = job;
    this.#common = { name, calibration, threads: THREADS, batch: 32, seed: job.seed };
  }

  async accuracy(model: Model): Promise<number> {
    const { name } = this.#common;
    return (await evaluateModel(model, this.#test, { name, threads: THREADS, batch: 64 })).balancedAccuracy;
  }

  /** Networks cut for themselves, without and with repair. */
  async sequential(): Promise<Figure[]> {
    const figures: Figure[] = [];
    const total = modelCosts(this.#model).macs;
    for (const fraction of FRACTIONS) {
      const { keep } = await this.#rank({ macsFraction: fraction });
      const cut = sliceModel(this.#model, this.#grouping, keep);
      const reached = modelCosts(cut).macs / total;
      const began = performance.now();
      const repaired = await repair(this.#model, cut, this.#grouping, keep, this.#common);
      this.sequentialSeconds.push((performance.now() - began) / 1000);
      const one = (method: Figure['method'], accuracy: number): Figure =>
        figure(method, 'uniform', fraction, [{ reached, accuracy }]);
      figures.push(
        one('none', await this.accuracy(cut)),
        one('sequential', await this.accuracy(repaired.model)),
      );
    }
    return figures;
  }

  /** Networks put together of levels, without and with corrections. */
  async composed(): Promise<Figure[]> {
    const { scores } = await this.#rank({ ratio: CHOSEN_AT });
    const order = new Map(
      [...scores].map(([id, own]) => [
        id,
        Array.from(own.keys()).sort((a, b) => (own[b] as number) - (own[a] as number) || a - b),
      ]),
    );
    const { model } = reorderChannels(this.#model, this.#grouping, order);
    const grouping = findGroups(model);
    const counts = grouping.groups.map((group) =>
      PACK_RATIOS.map((ratio) => alignedCount(group, group.channels * (1 - ratio), 1)),
    );
    const { groups } = describeModel(model, grouping, counts, new Set());
    const began = performance.now();
    const { tables } = await repairTables(model, grouping, groups, { ...this.#common, maxPositions: 4096 });
    this.tableSeconds = (performance.now() - began) / 1000;
    const draft = new DraftBundle(model, grouping, groups);
    draft.add(tables);
    const corrector = await AffineCorrector.create(model, grouping, this.#common);
    const count = macsCounter(model, grouping);
    const total = modelCosts(model).macs;
    const random = new Random(this.#job.seed);
    const figures: Figure[] = [];
    try {
      for (const fraction of FRACTIONS) {
        for (const mix of MIXES) {
          const plain: Network[] = [];
          const corrected: Network[] = [];
          const lowRank: Network[] = [];
          const share = (levels: readonly number[]): number => count(draft.keepAt(levels)) / total;
          for (const levels of drawMixes(mix, fraction, groups.length, share, random)) {
            const reached = share(levels);
            const put = draft.assemble(levels);
            plain.push({ reached, accuracy: await this.accuracy(put) });
            const keep = draft.keepAt(levels);
            const start = performance.now();
            const affine = await corrector.fit(put, keep);
            const between = performance.now();
            const richer = await corrector.enrich(put, keep, affine);
            this.correctionSeconds.push((between - start) / 1000);
            this.lowRankSeconds.push((performance.now() - between) / 1000);
            for (const [networks, { correction }] of [
              [corrected, affine],
              [lowRank, richer],
            ] as const) {
              const accuracy = correction
                ? await this.accuracy(draft.assemble(levels, correction))
                : (plain.at(-1)?.accuracy ?? 0);
              networks.push({ reached, accuracy });
            }
          }
          if (plain.length > 0)
            figures.push(
              figure('tables', mix, fraction, plain),
              figure('corrected', mix, fraction, corrected),
              figure('low-rank', mix, fraction, lowRank),
            );
        }
      }
    } finally {
      await corrector.release();
    }
    return figures;
  }

  async #rank(amount: PruneAmount) {
    const options = { ...this.#common, block: 1 };
    if (this.#job.criterion === 'auto') {
      const pruned = await rankAuto(this.#model, { ...options, criterion: AUTO, repaired: true }).prune(
        amount,
      );
      this.picks.push(pruned.choice.criterion.name);
      return pruned;
    }
    const criterion: Criterion = findCriterion(this.#job.criterion);
    return (await rankModel(this.#model, { ...options, criterion })).prune(amount);
  }
}

interface Network {
  readonly reached: number;
  readonly accuracy: number;
}

/** Level vectors of a kind whose share of MACs is within a seventh of the one asked for. */
function drawMixes(
  kind: (typeof MIXES)[number],
  fraction: number,
  groups: number,
  share: (levels: readonly number[]) => number,
  random: Random,
): number[][] {
  const levels = PACK_RATIOS.length;
  if (kind === 'uniform') {
    const all = Array.from({ length: levels }, (_, level) => new Array<number>(groups).fill(level));
    return [
      must(
        all.toSorted(
          (a, b) => Math.abs(Math.log(share(a) / fraction)) - Math.abs(Math.log(share(b) / fraction)),
        )[0],
        'no level',
      ),
    ];
  }
  const found: number[][] = [];
  for (let attempt = 0; attempt < 20_000 && found.length < DRAWS; attempt++) {
    const center = random.integer(levels);
    const mix = Array.from({ length: groups }, () => {
      if (kind === 'adjacent') return Math.min(Math.max(center - 1 + random.integer(3), 0), levels - 1);
      return kind === 'random' ? random.integer(levels) : random.integer(2) * (levels - 1);
    });
    if (Math.abs(share(mix) / fraction - 1) < 1 / 7) found.push(mix);
  }
  return found;
}

function figure(
  method: Figure['method'],
  mix: Figure['mix'],
  fraction: number,
  networks: readonly Network[],
): Figure {
  const accuracies = networks.map(({ accuracy }) => accuracy);
  return {
    method,
    mix,
    fraction,
    reached: rounded(mean(networks.map(({ reached }) => reached))),
    accuracy: rounded(mean(accuracies)),
    lowest: rounded(Math.min(...accuracies)),
    networks: networks.length,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);
}
