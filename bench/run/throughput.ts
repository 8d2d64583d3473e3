// Requests a second with one and with two workers of one thread each.
import { Coordinator, LocalWorkers, type RunPlan } from '../../src/run/index.ts';
import { must } from '../../src/util/index.ts';
import type { ResultTable } from '../lib/results.ts';
import type { BenchModel } from './model.ts';

const WORKERS = ['a', 'b'];
const SECONDS = 5;
/** Requests in flight for each worker, so that none waits for the next. */
const DEEP = 3;

/** The table of all models. */
export async function throughputTable(models: readonly BenchModel[]): Promise<ResultTable> {
  const rows: (string | number)[][] = [];
  for (const model of models) {
    const [one, two] = [await perSecond(model, WORKERS.slice(0, 1)), await perSecond(model, WORKERS)];
    rows.push([model.bundle.manifest.name, one.toFixed(0), two.toFixed(0), (two / one).toFixed(2)]);
  }
  return {
    title: 'Throughput',
    columns: ['model', 'one worker, requests/s', 'two workers, requests/s', 'times'],
    rows,
    note: `Whole requests on workers in processes of their own, ${DEEP} in flight for each, unpruned; the asking process shares the two cores with them.`,
  };
}

async function perSecond({ bundle, inputs }: BenchModel, names: readonly string[]): Promise<number> {
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
  const run = async (seconds: number): Promise<number> => {
    const start = performance.now();
    const until = start + 1000 * seconds;
    done = 0;
    const lane = async (plan: RunPlan): Promise<void> => {
      while (performance.now() < until) {
        await coordinator.infer(must(inputs[next++ % inputs.length], 'an input'), plan);
        done++;
      }
    };
    await Promise.all(plans.flatMap((plan) => Array.from({ length: DEEP }, () => lane(plan))));
    return (1000 * done) / (performance.now() - start);
  };
  await run(SECONDS / 5);
  const found = await run(SECONDS);
  await coordinator.close();
  return found;
}
