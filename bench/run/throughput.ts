// Requests a second with one and with two workers of one thread each, beside one and two engines that nobody asks.
import { Coordinator, LocalWorkers, type RunPlan } from '../../src/run/index.ts';
import { median, must } from '../../src/util/index.ts';
import { secondsOfProcess } from '../lib/figures.ts';
import type { ResultTable } from '../lib/results.ts';
import { enginesPerSecond } from './bare-engine.ts';
import type { BenchModel } from './model.ts';

const WORKERS = ['a', 'b'];
/** Requests in flight for each worker, so that none waits for the next. */
const DEEP = 3;
/** Each is measured so often, in turns. */
const ROUNDS = 3;

/** The table of all models. @param seconds of each measurement */
export async function throughputTable(models: readonly BenchModel[], seconds: number): Promise<ResultTable> {
  const rows: (string | number)[][] = [];
  for (const model of models) {
    const { dir, manifest } = model.bundle;
    const engines: [number[], number[]] = [[], []];
    const workers: [Rate[], Rate[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      for (const at of [0, 1] as const) {
        engines[at].push(await enginesPerSecond(dir, at + 1, seconds));
        workers[at].push(await perSecond(model, WORKERS.slice(0, at + 1), seconds));
      }
    }
    const [bare, bareTwo] = engines.map(median) as [number, number];
    const of = (at: 0 | 1, what: keyof Rate): number => median(workers[at].map((rate) => rate[what]));
    const [one, two] = [of(0, 'perSecond'), of(1, 'perSecond')];
    rows.push([
      ...[manifest.name, bare.toFixed(0), bareTwo.toFixed(0), (bareTwo / bare).toFixed(2)],
      ...[one.toFixed(0), two.toFixed(0), (two / one).toFixed(2)],
      ...[`${((100 * two) / bareTwo).toFixed(0)} %`],
      ...[of(0, 'busy').toFixed(2), of(1, 'busy').toFixed(2)],
    ]);
  }
  return {
    title: 'Throughput',
    columns: [
      ...['model', 'one engine, runs/s', 'two engines, runs/s', 'times'],
      ...['one worker, requests/s', 'two workers, requests/s', 'times', 'two workers / two engines'],
      ...['processors in use: one worker', 'two workers'],
    ],
    rows,
    note:
      `Whole requests on workers in processes of their own, ${DEEP} in flight for each, unpruned; the asking process shares ` +
      'the two cores with them. Engines: as many processes that run the same sessions and nothing else: what the machine ' +
      'gives, since two of them share its cache and memory. Processors in use: processor seconds of workers and asking ' +
      'process in each second; one worker whose figure is more than that of one engine is helped by the second core. ' +
      `Medians of ${ROUNDS} rounds in turns.`,
  };
}

/** Requests a second, and processors in use meanwhile. */
interface Rate {
  readonly perSecond: number;
  readonly busy: number;
}

async function perSecond(
  { bundle, inputs }: BenchModel,
  names: readonly string[],
  seconds: number,
): Promise<Rate> {
  const workers = names.map((name) => ({ device: { name } }));
  await using room = await LocalWorkers.start(workers, [bundle.dir]);
  const coordinator = new Coordinator('requester', bundle);
  await coordinator.join(room.fabric);
  const levels = bundle.manifest.groups.map(() => 0);
  const plans = names.map(
    (device): RunPlan => ({
      levels,
      stages: bundle.manifest.stages.map(({ index }) => ({ index, segments: [{ device, from: 0, to: 1 }] })),
    }),
  );
  for (const plan of plans) await coordinator.warm(plan);
  let [done, next] = [0, 0];
  const pids = [process.pid, ...room.pids.values()];
  const run = async (length: number): Promise<Rate> => {
    const start = performance.now();
    const before = processorSeconds(pids);
    const until = start + 1000 * length;
    done = 0;
    const lane = async (plan: RunPlan): Promise<void> => {
      while (performance.now() < until) {
        await coordinator.infer(must(inputs[next++ % inputs.length], 'an input'), plan);
        done++;
      }
    };
    await Promise.all(plans.flatMap((plan) => Array.from({ length: DEEP }, () => lane(plan))));
    const took = (performance.now() - start) / 1000;
    return { perSecond: done / took, busy: (processorSeconds(pids) - before) / took };
  };
  await run(seconds / 3);
  const found = await run(seconds);
  await coordinator.close();
  return found;
}

/** Processor seconds of these processes so far; NaN where the system does not tell. */
function processorSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (secondsOfProcess(pid)?.own ?? Number.NaN), 0);
}
