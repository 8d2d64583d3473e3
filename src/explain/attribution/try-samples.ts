// Tests on the engine what is assumed of operators without a batch rule: a sample must get the same values whatever
// runs beside it, and wherever it lies in the batch.
import { createSession, tensor } from '../../engine/index.ts';
import { inferShapes, type Model } from '../../onnx/index.ts';
import {
  assumedSamples,
  type BatchPlace,
  batchAxisOf,
  describeNode,
  extractSubgraph,
  fixedBatchOf,
  producers,
  sampleOf,
  sizeOf,
  soleInput,
  wholePositions,
} from '../../onnx/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';

/** Largest difference of values, as a share of the largest value. */
const TOLERANCE = 1e-4;

/**
 * Tests every assumption about where a model's samples lie (`assumedSamples`) on random samples. Most models have no
 * such assumption and are not run.
 * @throws BedsideError E_UNSUPPORTED, naming the operator, where an assumption does not hold
 */
export async function trySamples(
  model: Model,
  places: ReadonlyMap<string, BatchPlace>,
  name: string,
): Promise<void> {
  const values = assumedSamples(model, places);
  if (values.length === 0) return;
  const input = soleInput(model);
  const count = fixedBatchOf(model) ?? 3;
  const [, ...shape] = must(inferShapes(model, count).get(input), `shape of '${input}'`);
  const size = sizeOf(shape);
  const random = new Random(1);
  const noise = (): Float32Array => {
    const numbers = Float32Array.from({ length: count * size }, () => random.normal());
    // Noise is no index; 0 is one.
    for (const { start, end } of wholePositions(model)) {
      for (let at = 0; at < count; at++) numbers.fill(0, at * size + start, at * size + end);
    }
    return numbers;
  };
  const [first, second] = [noise(), noise()];
  second.set(first.subarray(0, size), size);
  const session = await createSession(extractSubgraph(model, [input], values), { name });
  try {
    const [a, b] = [
      await session.run({ [input]: tensor(first, [count, ...shape]) }),
      await session.run({ [input]: tensor(second, [count, ...shape]) }),
    ];
    for (const value of values) {
      const place = batchAxisOf(places, value);
      const [one, other] = [a[value], b[value]].map((found, sample) =>
        found?.type === 'float32' ? sampleOf(found.data, found.dims, place, sample) : undefined,
      );
      if (!one || !other || !alike(one, other)) throw refuted(model, value);
    }
  } finally {
    await session.release();
  }
}

function alike(a: Float32Array, b: Float32Array): boolean {
  const most = a.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
  return a.length === b.length && a.every((x, i) => Math.abs(x - (b[i] as number)) <= TOLERANCE * most);
}

function refuted(model: Model, value: string): BedsideError {
  const node = must(producers(model.graph).get(value), `no node makes '${value}'`);
  return new BedsideError(
    'E_UNSUPPORTED',
    `which samples '${value}' belongs to is not known: ${describeNode(node)} is not followed, and gives a sample other ` +
      'values beside other samples',
    { hint: 'criteria that read weights alone (l1, l2) still work' },
  );
}
