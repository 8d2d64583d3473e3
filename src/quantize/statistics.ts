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
  /** By channel, where that was asked for. */
  readonly channels?: ChannelValues | undefined;
}

/** What is known of each channel of a value. */
export interface ChannelValues {
  /** The channel of each of the numbers that are kept. */
  readonly of: Int32Array;
  /** The least and the largest of each channel, over all numbers, and 0. */
  readonly lows: Float64Array;
  readonly highs: Float64Array;
}

/** Of the samples that fit, of those that are held out, and of all. */
export interface SplitStatistics {
  readonly fit: ValueStatistics;
  readonly held: ValueStatistics;
  readonly all: ValueStatistics;
  /** Whether every sample gives the same numbers, place by place: such samples tell no range. */
  readonly isSame: boolean;
}

/** Numbers of two samples that are nearer than this share of the largest count as the same: mixtures round. */
const SAME = 1e-5;

/**
 * Runs the network over the samples once.
 * @param channelled values whose channels are told apart, and how many they have; their channels are the first axis of a sample
 * @throws BedsideError E_NOT_FINITE for a value that is NaN or infinite on some sample; as `visitValues`
 */
export async function valueStatistics(
  model: Model,
  names: readonly string[],
  samples: RepairSamples,
  options: NetworkRun & { readonly seed: number },
  channelled: ReadonlyMap<string, number> = new Map(),
): Promise<ReadonlyMap<string, SplitStatistics>> {
  const collected = new Map(
    names.map((name) => {
      const channels = channelled.get(name);
      return [
        name,
        { fit: new Collected(channels), held: new Collected(channels), variation: new Variation() },
      ];
    }),
  );
  const random = new Random(options.seed);
  const perSample = Math.max(1, Math.ceil(KEPT / samples.size));
  await visitValues(model, names, samples, options, (sample, read) => {
    for (const [name, { fit, held, variation }] of collected) {
      const values = read(name);
      assertFinite(values, name, model, options.name);
      variation.add(values);
      (sample < samples.fitSize ? fit : held).add(values, perSample, random);
    }
  });
  return new Map(
    [...collected].map(([name, { fit, held, variation }]) => {
      const [own, other] = [fit.statistics(), held.statistics()];
      const all = {
        low: Math.min(own.low, other.low),
        high: Math.max(own.high, other.high),
        values: Float64Array.from([...own.values, ...other.values]),
        channels: own.channels && other.channels && joined(own.channels, other.channels),
      };
      const isSame = variation.spread <= SAME * Math.max(Math.abs(all.low), Math.abs(all.high));
      return [name, { fit: own, held: other, all, isSame }];
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

/** How far the numbers of the samples are from those of the first, place by place. */
class Variation {
  spread = 0;
  #first: Float32Array | undefined;

  add(values: Float32Array): void {
    const first = this.#first;
    if (!first) {
      this.#first = values.slice();
      return;
    }
    for (let at = 0; at < values.length; at++) {
      const apart = Math.abs((values[at] as number) - (first[at] as number));
      if (apart > this.spread) this.spread = apart;
    }
  }
}

class Collected {
  #low = Number.POSITIVE_INFINITY;
  #high = Number.NEGATIVE_INFINITY;
  readonly #values: number[] = [];
  readonly #of: number[] = [];
  readonly #lows: Float64Array;
  readonly #highs: Float64Array;

  /** @param channels how many are told apart; 0 for none */
  constructor(channels = 0) {
    this.#lows = new Float64Array(channels);
    this.#highs = new Float64Array(channels);
  }

  add(values: Float32Array, count: number, random: Random): void {
    for (const value of values) {
      if (value < this.#low) this.#low = value;
      if (value > this.#high) this.#high = value;
    }
    const each = values.length / (this.#lows.length || 1);
    if (this.#lows.length > 0) this.#addChannels(values, each);
    const whole = values.length <= count;
    for (let i = 0; i < Math.min(count, values.length); i++) {
      const at = whole ? i : random.integer(values.length);
      this.#values.push(values[at] as number);
      if (this.#lows.length > 0) this.#of.push(Math.floor(at / each));
    }
  }

  #addChannels(values: Float32Array, each: number): void {
    for (const [c, low] of this.#lows.entries()) {
      let [least, most] = [low, this.#highs[c] as number];
      for (let i = c * each; i < (c + 1) * each; i++) {
        least = Math.min(least, values[i] as number);
        most = Math.max(most, values[i] as number);
      }
      this.#lows[c] = least;
      this.#highs[c] = most;
    }
  }

  statistics(): ValueStatistics {
    const values = Float64Array.from(this.#values);
    const known = { low: this.#low, high: this.#high, values };
    if (this.#lows.length === 0) return known;
    const of = Int32Array.from(this.#of);
    return { ...known, channels: { of, lows: this.#lows.slice(), highs: this.#highs.slice() } };
  }
}

function joined(a: ChannelValues, b: ChannelValues): ChannelValues {
  return {
    of: Int32Array.from([...a.of, ...b.of]),
    lows: a.lows.map((low, c) => Math.min(low, b.lows[c] as number)),
    highs: a.highs.map((high, c) => Math.max(high, b.highs[c] as number)),
  };
}
