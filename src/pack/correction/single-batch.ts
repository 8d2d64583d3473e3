// Runs a graph on all samples of a correction at once, so that the graph can compute statistics over them.
import type { Dataset } from '../../data/index.ts';
import { createSession, type Tensor, tensor } from '../../engine/index.ts';
import type { Model } from '../../onnx/index.ts';
import { fixedBatchOf, sampleShapes, sizeOf } from '../../onnx/internal.ts';
import { type NetworkRun, type RepairSamples, repairSamples, visitValues } from '../../repair/internal.ts';
import { must } from '../../util/index.ts';
import { joinedRows, Random, rowRange } from '../../util/internal.ts';

/** Most bytes that the largest value may take over all samples. */
const VALUE_BYTES = 192 * 2 ** 20;

/** Most samples with copies: every variant runs them three times. */
const SAMPLES = 256;

/** As many samples and copies of them as the largest value leaves room for. */
export function affordableSamples(model: Model, calibration: Dataset, seed: number): RepairSamples {
  const largest = [...sampleShapes(model).values()].reduce((most, shape) => Math.max(most, sizeOf(shape)), 0);
  const most = Math.max(8, Math.floor(VALUE_BYTES / (4 * largest)));
  const copies = Math.max(1, Math.min(4, Math.floor(Math.min(most, SAMPLES) / calibration.size)));
  const all = repairSamples(calibration, copies, new Random(seed));
  if (all.size <= most) return all;
  const length = sizeOf(all.sampleShape);
  const fitSize = Math.max(1, Math.floor((most * all.fitSize) / all.size));
  const held = Math.max(1, most - fitSize);
  const samples = new Float32Array((fitSize + held) * length);
  samples.set(rowRange(all.samples, all.size, 0, fitSize));
  samples.set(rowRange(all.samples, all.size, all.fitSize, held), fitSize * length);
  return { samples, size: fitSize + held, sampleShape: all.sampleShape, fitSize };
}

/** The model's outputs over all samples, in one run unless the model fixes its batch. */
export async function runInOneBatch(
  model: Model,
  samples: RepairSamples,
  options: NetworkRun,
  feeds: Readonly<Record<string, Tensor>> = {},
): Promise<Map<string, Float32Array>> {
  const names = model.graph.outputs.map(({ name }) => name);
  if (fixedBatchOf(model) !== undefined) {
    const parts = names.map((): Float32Array[] => []);
    await visitValues(model, names, samples, options, (_, read) => {
      names.forEach((name, i) => {
        parts[i]?.push(read(name).slice());
      });
    });
    return new Map(names.map((name, i) => [name, joinedRows(parts[i] ?? [])]));
  }
  const input = sampleInput(model, feeds);
  const session = await createSession(model, { ...options, spinning: false });
  try {
    const all = tensor(samples.samples, [samples.size, ...samples.sampleShape]);
    const found = await session.run({ ...feeds, [input.name]: all });
    return new Map(
      names.map((name) => {
        const value = found[name];
        return [name, must(value?.type === 'float32' ? value.data : undefined, `'${name}' is not float32`)];
      }),
    );
  } finally {
    await session.release();
  }
}

/** The input for the samples; the other inputs are the same for all samples. */
function sampleInput({ graph }: Model, feeds: Readonly<Record<string, Tensor>>) {
  const found = graph.inputs.find(({ name }) => !(name in feeds) && !graph.constants.has(name));
  return must(found, 'no input');
}
