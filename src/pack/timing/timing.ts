// Times graphs in turns, so that changes of a busy machine's load affect all of them alike.
import { createSession, type EngineOptions, type Session, type Tensor, tensor } from '../../engine/index.ts';
import type { Model } from '../../onnx/index.ts';
import { ELEM, sizeOf } from '../../onnx/internal.ts';
import { median, must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';

/** How graphs are timed; `batch`, 1 by default, counts where a graph's inputs leave their first axis open. */
export interface TimingOptions extends EngineOptions {
  /** Name of the graphs in error messages. */
  readonly name: string;
  /** Number of samples that one run counts for; default the first axis of the first input. */
  readonly samples?: number | undefined;
  /** Number of turns of each graph; default 9. */
  readonly rounds?: number | undefined;
}

const ROUNDS = 9;
/**
 * Milliseconds that one turn takes at least: as many runs as needed, so that the clock's resolution does not matter.
 */
const TURN_MS = 0.5;
/** Most bytes of constants in sessions that are open at once. */
const OPEN_BYTES = 384 * 2 ** 20;

/**
 * Median seconds of one sample for each graph, over rounds in which all graphs take turns, forwards and backwards. The
 * cost of calling the engine is included. Inputs are random.
 * @throws BedsideError as `createSession`
 */
export async function medianSeconds(models: readonly Model[], options: TimingOptions): Promise<number[]> {
  const seconds: number[] = [];
  for (const batch of openable(models)) seconds.push(...(await timeTogether(batch, options)));
  return seconds;
}

/** Whether a graph can be timed: all its inputs are float32 of known sizes. */
export function isTimeable({ graph }: Model): boolean {
  return graph.inputs.every(
    ({ elemType, dims }) =>
      elemType === ELEM.float32 && dims?.every((dim, axis) => axis === 0 || typeof dim === 'number'),
  );
}

/** Estimates how many seconds it takes to open a session of a graph and to time it as `medianSeconds` does. */
export async function expectedSeconds(model: Model, options: TimingOptions): Promise<number> {
  const { name, threads = 1, rounds = ROUNDS } = options;
  const start = performance.now();
  const session = await createSession(model, { name, threads });
  try {
    const opened = performance.now() - start;
    const runner = { session, ...feedsOf(model, options) };
    await turn(runner, 1);
    const run = await turn(runner, 1);
    return (opened + 3 * run + rounds * Math.max(TURN_MS, run)) / 1000;
  } finally {
    await session.release();
  }
}

/** Groups of graphs whose sessions may be open together; very large networks are timed in small groups. */
function openable(models: readonly Model[]): Model[][] {
  const batches: Model[][] = [];
  let open = 0;
  for (const model of models) {
    const bytes = [...model.graph.constants.values()].reduce((sum, { dims }) => sum + 4 * sizeOf(dims), 0);
    const last = batches.at(-1);
    if (last && open + bytes <= OPEN_BYTES) last.push(model);
    else {
      batches.push([model]);
      open = 0;
    }
    open += bytes;
  }
  return batches;
}

interface Runner {
  readonly session: Session;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly samples: number;
}

async function timeTogether(models: readonly Model[], options: TimingOptions): Promise<number[]> {
  const { name, threads = 1, rounds = ROUNDS } = options;
  const runners: Runner[] = [];
  try {
    for (const model of models) {
      const { feeds, samples } = feedsOf(model, options);
      runners.push({ session: await createSession(model, { name, threads }), feeds, samples });
    }
    const runs: number[] = [];
    for (const runner of runners) {
      await turn(runner, 2);
      runs.push(Math.min(50, Math.max(1, Math.ceil(TURN_MS / Math.max(1e-3, await turn(runner, 1))))));
    }
    const times = runners.map((): number[] => []);
    const order = [...runners.keys()];
    for (let round = 0; round < rounds; round++) {
      for (const at of round % 2 === 0 ? order : order.toReversed()) {
        const runner = must(runners[at], 'a runner');
        times[at]?.push((await turn(runner, runs[at] ?? 1)) / 1000 / runner.samples);
      }
    }
    return times.map(median);
  } finally {
    for (const { session } of runners) await session.release();
  }
}

/** Milliseconds of one run. */
async function turn({ session, feeds }: Runner, runs: number): Promise<number> {
  const start = performance.now();
  for (let run = 0; run < runs; run++) await session.run(feeds);
  return (performance.now() - start) / runs;
}

function feedsOf({ graph }: Model, { batch = 1, samples }: TimingOptions): Pick<Runner, 'feeds' | 'samples'> {
  const random = new Random(1);
  const first = graph.inputs[0]?.dims?.[0];
  const feeds = graph.inputs.map(({ name, dims = [] }): [string, Tensor] => {
    const sizes = (dims ?? []).map((dim) => (typeof dim === 'number' ? dim : batch));
    const data = Float32Array.from({ length: sizeOf(sizes) }, () => random.normal());
    return [name, tensor(data, sizes)];
  });
  return {
    feeds: Object.fromEntries(feeds),
    samples: samples ?? (typeof first === 'number' ? Math.max(1, first) : batch),
  };
}
