// Reads values of a network at sampled places, for as many samples as there are, a batch at a time.
import { createSession, type EngineSettings, type Tensor, tensor } from '../engine/index.ts';
import { trySamples } from '../explain/index.ts';
import {
  batchAxes,
  batchAxisOf,
  extractSubgraph,
  fixedBatchOf,
  type Model,
  sampleOf,
  sizeOf,
  soleInput,
} from '../onnx/index.ts';
import { must, rowRange } from '../util/index.ts';
import type { RepairSamples } from './augment.ts';

/** How a network is run. */
export interface NetworkRun extends EngineSettings {
  /** How the network is called in error messages. */
  readonly name: string;
}

const HINT = 'export the model so that each sample is computed by itself, or prune with --no-reconstruct';

/** Sees one sample's values, by name, each laid out as with a batch of one. */
export type Visitor = (sample: number, read: (value: string) => Float32Array) => void;

/**
 * Runs what the values need of a model and shows them, sample by sample. The model's input can be read too. A batch size
 * that the model fixes is used instead of the option, the last batch filled up with zeros.
 * @throws BedsideError E_UNSUPPORTED for a value of which nobody knows what belongs to which sample
 */
export async function visitValues(
  model: Model,
  values: readonly string[],
  { samples, size, sampleShape }: RepairSamples,
  options: NetworkRun,
  visit: Visitor,
): Promise<void> {
  const input = soleInput(model);
  const places = batchAxes(model);
  for (const value of values) {
    if (places.get(value)?.kind !== 'none') batchAxisOf(places, value, undefined, HINT);
  }
  await trySamples(model, places, options.name);
  const computed = [...new Set(values)].filter((value) => value !== input);
  const length = sizeOf(sampleShape);
  const fixed = fixedBatchOf(model);
  const batch = fixed ?? options.batch;
  const session =
    computed.length === 0
      ? undefined
      : await createSession(extractSubgraph(model, [input], computed), options);
  try {
    for (let first = 0; first < size; first += batch) {
      const count = Math.min(batch, size - first);
      const given = rowRange(samples, size, first, count);
      const run = fixed ?? count;
      const data = run === count ? given : filled(given, run * length);
      const feed: Record<string, Tensor> = { [input]: tensor(data, [run, ...sampleShape]) };
      const found = session ? await session.run(feed) : {};
      for (let i = 0; i < count; i++) {
        visit(first + i, (value) => {
          const read = found[value] ?? feed[value];
          const { data: all, dims } = must(
            read?.type === 'float32' ? read : undefined,
            `'${value}' is not float32`,
          );
          const place = places.get(value);
          return place?.kind === 'axis' ? sampleOf(all, dims, place, i) : all;
        });
      }
    }
  } finally {
    await session?.release();
  }
}

function filled(given: Float32Array, length: number): Float32Array {
  const all = new Float32Array(length);
  all.set(given);
  return all;
}
