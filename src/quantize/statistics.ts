// What values a network takes on samples: their range, and a fixed share of them.
import type { Model } from '../onnx/index.ts';
import { describeNode, producers } from '../onnx/internal.ts';
import { type NetworkRun, type RepairSamples, visitValues } from '../repair/internal.ts';
import { BedsideError } from '../util/index.ts';
import { firstNonFinite, Random, type ValueRange } from '../util/internal.ts';

/** Numbers of one value that are kept, over all samples. */
const KEPT = 16_384;

/** Most bytes of the values of one batch. */
const BATCH_BYTES = 256 * 2 ** 20;

/** One value's numbers on some samples. */
export interface ValueStatistics extends ValueRange {
  /** Some of them, the same number of each sample. */
  readonly values: Float64Array;
}

/** Of the samples that fit, of those that are held out, and of all. */
export interface SplitStatistics {
  readonly fit: ValueStatistics;
  readonly held: ValueStatistics;
  readonly all: ValueStatistics;
}

/**
 * Runs the network over the samples once.
 * @throws BedsideError E_NOT_FINITE for a value that is NaN or infinite on some sample; as `visitValues`
 */
export async function valueStatistics(
  model: Model,
  names: readonly string[],
  samples: RepairSamples,
  options: NetworkRun & { readonly seed: number },
): Promise<ReadonlyMap<string, SplitStatistics>> {
  const collected = new Map(names.map((name) => [name, { fit: new Collected(), held: new Collected() }]));
  const random = new Random(options.seed);
  const perSample = Math.max(1, Math.ceil(KEPT / samples.size));
  await visitValues(model, names, samples, options, (sample, read) => {
    for (const [name, { fit, held }] of collected) {
      const values = read(name);
      assertFinite(values, name, model, options.name);
      (sample < samples.fitSize ? fit : held).add(values, perSample, random);
    }
  });
  return new Map(
    [...collected].map(([name, { fit, held }]) => {
      const [own, other] = [fit.statistics(), held.statistics()];
      const all = {
        low: Math.min(own.low, other.low),
        high: Math.max(own.high, other.high),
        values: Float64Array.from([...own.values, ...other.values]),
      };
      return [name, { fit: own, held: other, all }];
    }),
  );
}

/** The batch with which values of these sizes stay within memory. */
export function batchWithin(batch: number, sizes: readonly number[]): number {
  const bytes = 4 * sizes.reduce((sum, size) => sum + size, 0);
  return Math.max(1, Math.min(batch, Math.floor(BATCH_BYTES / Math.max(1, bytes))));
}

function assertFinite(values: Float32Array, name: string, { graph }: Model, network: string): void {
  if (firstNonFinite(values) < 0) return;
  const maker = producers(graph).get(name);
  const what = maker ? `what ${describeNode(maker)} gives` : `input '${name}'`;
  throw new BedsideError(
    'E_NOT_FINITE',
    `${network}: ${what} is NaN or infinite on some calibration sample`,
    {
      hint: 'no range of eight bits holds that; look at how samples are scaled, or leave such samples out',
    },
  );
}

class Collected {
  #low = Number.POSITIVE_INFINITY;
  #high = Number.NEGATIVE_INFINITY;
  readonly #values: number[] = [];

  add(values: Float32Array, count: number, random: Random): void {
    for (const value of values) {
      if (value < this.#low) this.#low = value;
      if (value > this.#high) this.#high = value;
    }
    if (values.length <= count) this.#values.push(...values);
    else for (let i = 0; i < count; i++) this.#values.push(values[random.integer(values.length)] as number);
  }

  statistics(): ValueStatistics {
    return { low: this.#low, high: this.#high, values: Float64Array.from(this.#values) };
  }
}
