// The training loop: shuffled balanced batches, a cosine schedule with warm-up, and what it says on the way.
import { jit, numpy as np } from '@jax-js/jax';
import type { Dataset } from '../../src/data/index.ts';
import { BedsideError, formatPercent, formatSeconds } from '../../src/util/index.ts';
import type { Random } from '../../src/util/internal.ts';
import { type Architecture, forward, initialise, type Parameters, stemColumns } from './network.ts';
import { makeStep, rateOf, startState } from './optimiser.ts';

/** How long and how fast to train. */
export interface Schedule {
  readonly epochs: number;
  readonly batch: number;
  /** Highest learning rate, reached after `warmUp` steps. */
  readonly rate: number;
  readonly warmUp: number;
  readonly decay: number;
}

/**
 * Trains from scratch; equal arguments give equal weights.
 * @returns each tensor's values by name, in the layout of `network.ts`
 * @throws BedsideError E_INTERNAL when the loss is no longer finite
 */
export async function train(
  net: Architecture,
  data: Dataset,
  validation: Dataset,
  schedule: Schedule,
  random: Random,
  log: (line: string) => void,
): Promise<Map<string, { dims: number[]; data: Float32Array }>> {
  const initial = initialise(net, random);
  const step = makeStep(net, schedule.decay);
  let state = startState(initial);
  const order = Uint32Array.from({ length: data.size }, (_, i) => i);
  const perEpoch = Math.floor(data.size / schedule.batch);
  const steps = perEpoch * schedule.epochs;
  const started = performance.now();
  let t = 0;
  for (let epoch = 1; epoch <= schedule.epochs; epoch++) {
    random.shuffle(order);
    let total = 0;
    for (let i = 0; i < perEpoch; i++) {
      const rows = order.subarray(i * schedule.batch, (i + 1) * schedule.batch);
      const rate = rateOf(learningRate(schedule, t++, steps), t);
      const [loss, next] = step(state, columnsOf(net, data, rows), oneHot(net, data, rows), rate);
      state = next;
      total += (await loss.data())[0]!;
    }
    const mean = total / perEpoch;
    if (!Number.isFinite(mean))
      throw new BedsideError('E_INTERNAL', `internal: loss is ${mean} in epoch ${epoch}`);
    const right = accuracy(validation, await logitsOf(net, state.parameters, validation));
    const left = ((performance.now() - started) / 1000 / t) * (steps - t);
    log(
      `epoch ${String(epoch).padStart(2)}/${schedule.epochs}  loss ${mean.toFixed(4)}  ` +
        `validation ${formatPercent(right)}  ${formatSeconds(left)} left`,
    );
  }
  const trained = new Map<string, { dims: number[]; data: Float32Array }>();
  for (const [name, { dims }] of initial) {
    trained.set(name, { dims, data: (await state.parameters[name]!.ref.data()) as Float32Array });
  }
  return trained;
}

/** Logits of all samples, [size, classes] row-major; `parameters` stay usable. */
export async function logitsOf(
  net: Architecture,
  parameters: Parameters,
  data: Dataset,
): Promise<Float32Array> {
  const out = new Float32Array(data.size * net.classes);
  const batch = 100;
  const run = compiled(net);
  for (let start = 0; start < data.size; start += batch) {
    const rows = Array.from({ length: Math.min(batch, data.size - start) }, (_, i) => start + i);
    const own = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, value.ref]));
    out.set((await run(own, columnsOf(net, data, rows)).data()) as Float32Array, start * net.classes);
  }
  return out;
}

/** The share of samples whose largest logit is their label's. */
export function accuracy(data: Dataset, logits: Float32Array): number {
  const classes = logits.length / data.size;
  let right = 0;
  for (let i = 0; i < data.size; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    if (row.indexOf(Math.max(...row)) === data.labels?.[i]) right++;
  }
  return right / data.size;
}

const forwards = new Map<Architecture, (parameters: Parameters, columns: np.Array) => np.Array>();

// Compiled once an architecture: compilation takes longer than a batch.
function compiled(net: Architecture): (parameters: Parameters, columns: np.Array) => np.Array {
  let run = forwards.get(net);
  if (run === undefined) {
    run = jit((parameters: Parameters, columns: np.Array) => forward(net, parameters, columns));
    forwards.set(net, run);
  }
  return run;
}

function learningRate(schedule: Schedule, t: number, steps: number): number {
  if (t < schedule.warmUp) return (schedule.rate * (t + 1)) / schedule.warmUp;
  const progress = (t - schedule.warmUp) / (steps - schedule.warmUp);
  return schedule.rate * (0.01 + 0.99 * 0.5 * (1 + Math.cos(Math.PI * progress)));
}

function columnsOf(net: Architecture, data: Dataset, rows: ArrayLike<number>): np.Array {
  return np
    .array(stemColumns(net, data.samples, rows))
    .reshape([net.inputLength / 2, rows.length, net.stem.kernel]);
}

function oneHot(net: Architecture, data: Dataset, rows: ArrayLike<number>): np.Array {
  const values = new Float32Array(rows.length * net.classes);
  for (let i = 0; i < rows.length; i++) values[i * net.classes + data.labels![rows[i]!]!] = 1;
  return np.array(values).reshape([rows.length, net.classes]);
}
