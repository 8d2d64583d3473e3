// Reads values of a network sample by sample, running a batch at a time.
import { createSession, type Tensor, tensor } from '../engine/index.ts';
import type { EngineSettings } from '../engine/internal.ts';
import { trySamples } from '../explain/internal.ts';
import type { Model } from '../onnx/index.ts';
import {
  batchAxes,
  batchAxisOf,
  extractSubgraph,
  fixedBatchOf,
  sampleOf,
  sizeOf,
  soleInput,
} from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { rowRange } from '../util/internal.ts';
import type { RepairSamples } from './augment.ts';

/** The name and settings of a run over a network. */
export interface NetworkRun extends EngineSettings {
  /** Name of the network in error messages. */
  readonly name: string;
}

const HINT = 'export the model so that each sample is computed by itself, or prune with --no-repair';

/** Receives one sample's values by name; each is laid out as in a batch of one. */
export type Visitor = (sample: number, read: (value: string) => Float32Array) => void;

/**
 * Runs the part of a model that the values need, and shows them sample by sample. The model's input can be read too. A
 * fixed batch size overrides the option; the last batch is then filled up with zeros.
 * @throws BedsideError E_UNSUPPORTED for a value whose samples cannot be told apart
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
