// The time of an attribution pass against a forward run.
import type { Dataset } from '../../data/index.ts';
import { createSession } from '../../engine/index.ts';
import { batchFeeds } from '../../evaluate/internal.ts';
import { type AttributionCriterion, Attributor } from '../../explain/internal.ts';
import { calibrationBatches } from '../../prune/internal.ts';
import { median } from '../../util/index.ts';
import type { Network } from '../network/network.ts';
import { contextOf, type PassSettings } from './sample-scores.ts';

/** Milliseconds per sample. */
export interface PassTimes {
  /** The attribution pass, or the scoring by another criterion. */
  readonly pass: number;
  readonly forward: number;
}

const ROUNDS = 5;

/**
 * Times the attribution pass and a forward run in turn, in this process, on the same batch and threads. Returns medians after
 * a warm-up of each.
 * @throws BedsideError as `Attributor.create`
 */
export async function timePass(
  network: Network,
  criterion: AttributionCriterion,
  dataset: Dataset,
  settings: PassSettings,
): Promise<PassTimes> {
  const { canonical, name, classifier } = network;
  const { calibration, batch } = calibrationBatches(canonical, dataset, {
    name,
    batch: settings.batch,
  });
  const pass = await Attributor.create(
    contextOf(canonical, name, calibration, { ...settings, batch }),
    criterion.spec,
  );
  const count = Math.min(pass.step, calibration.count);
  try {
    const forward = await createSession(network.original, { name, threads: settings.threads });
    try {
      // The model itself may fix a smaller batch than the pass, which has it opened.
      const most = Math.min(count, classifier.fixedBatch ?? count);
      const { feeds, count: forwardCount } = batchFeeds(classifier, dataset, 0, most);
      const runs = {
        pass: (): Promise<unknown> => pass.run(0, count),
        forward: (): Promise<unknown> => forward.run(feeds),
      };
      await runs.pass();
      await runs.forward();
      const times = { pass: [] as number[], forward: [] as number[] };
      for (let round = 0; round < ROUNDS; round++) {
        times.pass.push((await milliseconds(runs.pass)) / count);
        times.forward.push((await milliseconds(runs.forward)) / forwardCount);
      }
      return { pass: median(times.pass), forward: median(times.forward) };
    } finally {
      await forward.release();
    }
  } finally {
    await pass.release();
  }
}

async function milliseconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}
