// Measures how much faster one model is than another, so that changes of the machine's load affect both alike.
import type { Dataset } from '../data/index.ts';
import { createSession, type EngineOptions, type Session, type Tensor } from '../engine/index.ts';
import type { Model } from '../onnx/index.ts';
import { median } from '../util/index.ts';
import { batchFeeds } from './accuracy.ts';
import { describeClassifier } from './classifier.ts';

/** How a speed is measured; `batch` is 32 by default. */
export interface SpeedOptions extends EngineOptions {
  /** Number of alternating rounds; default 15. */
  readonly rounds?: number | undefined;
}

/** The times of two models on the same batch. */
export interface Speed {
  /** Median time of the first model, divided by that of the second. */
  readonly speedup: number;
  /** Median milliseconds of one sample, over the rounds. */
  readonly before: number;
  readonly after: number;
  readonly rounds: number;
}

/**
 * Times two models in turn on one batch of the dataset, in one process. Every round times both, in alternating order. A
 * time covers as many runs as fill about 20 ms, so that the clock's resolution does not matter for small models.
 * @throws BedsideError as `describeClassifier` and `createSession`
 */
export async function measureSpeedup(
  before: { readonly model: Model; readonly name: string },
  after: { readonly model: Model; readonly name: string },
  dataset: Dataset,
  options: SpeedOptions = {},
): Promise<Speed> {
  const { batch = 32, threads = 1, rounds = 15 } = options;
  const open: Runner[] = [];
  try {
    for (const { model, name } of [before, after]) {
      const classifier = describeClassifier(model, name);
      const size = classifier.fixedBatch ?? batch;
      const { feeds, count } = batchFeeds(classifier, dataset, 0, size);
      open.push({ session: await createSession(model, { name, threads }), feeds, count });
    }
    const [first, second] = open as [Runner, Runner];
    const runs = [await runsFor(first), await runsFor(second)] as const;
    const times: [number, number][] = [];
    for (let round = 0; round < rounds; round++) {
      // The second one may find warmer caches, so the order alternates.
      if (round % 2 === 0) {
        const a = await time(first, runs[0]);
        times.push([a, await time(second, runs[1])]);
      } else {
        const b = await time(second, runs[1]);
        times.push([await time(first, runs[0]), b]);
      }
    }
    const a = median(times.map(([time]) => time));
    const b = median(times.map(([, time]) => time));
    return { speedup: a / b, before: a, after: b, rounds };
  } finally {
    for (const { session } of open) await session.release();
  }
}

interface Runner {
  readonly session: Session;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly count: number;
}

const LEAST_MS = 20;

/** Number of runs that take about 20 ms together; the first two runs warm up. */
async function runsFor(runner: Runner): Promise<number> {
  await time(runner, 2);
  const ms = (await time(runner, 1)) * runner.count;
  return Math.max(1, Math.ceil(LEAST_MS / Math.max(ms, 0.01)));
}

/** Milliseconds of one sample. */
async function time(runner: Runner, runs: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < runs; i++) await runner.session.run(runner.feeds);
  return (performance.now() - start) / runs / runner.count;
}
