// Central differences of a model, evaluated by ONNX Runtime.
import { createSession, tensor } from '../../engine/index.ts';
import type { Model } from '../../onnx/index.ts';

/** The model's first output as floats. */
export async function runModel(
  model: Model,
  samples: Float32Array,
  dims: readonly number[],
): Promise<Float32Array> {
  const session = await createSession(model, { name: 'test', optimization: 'disabled' });
  try {
    const output = model.graph.outputs[0]?.name ?? '';
    const result = await session.run({ [model.graph.inputs[0]?.name ?? '']: tensor(samples, dims) });
    const value = result[output];
    if (value?.type !== 'float32') throw new Error(`no float32 output ${output}`);
    return value.data;
  } finally {
    await session.release();
  }
}

/**
 * The derivative of `sum of start * output` by every input value. All displaced samples run as one batch.
 * @param start `[batch, outputs]`
 */
export async function differences(
  model: Model,
  samples: Float32Array,
  dims: readonly number[],
  start: Float32Array,
  step: number,
): Promise<Float64Array> {
  const batch = dims[0] as number;
  const size = samples.length / batch;
  const displaced = new Float32Array(2 * samples.length * size);
  for (let i = 0; i < samples.length; i++) {
    const sample = samples.subarray(Math.floor(i / size) * size, (Math.floor(i / size) + 1) * size);
    for (const [half, sign] of [
      [0, 1],
      [1, -1],
    ] as const) {
      const offset = (2 * i + half) * size;
      displaced.set(sample, offset);
      displaced[offset + (i % size)] = (samples[i] as number) + sign * step;
    }
  }
  const outputs = await runModel(model, displaced, [2 * samples.length, ...dims.slice(1)]);
  const classes = start.length / batch;
  return Float64Array.from(samples, (_, i) => {
    const n = Math.floor(i / size);
    // The step as it was rounded to float32.
    const width =
      (displaced[2 * i * size + (i % size)] as number) -
      (displaced[(2 * i + 1) * size + (i % size)] as number);
    let change = 0;
    for (let c = 0; c < classes; c++) {
      const [up, down] = [
        outputs[2 * i * classes + c] as number,
        outputs[(2 * i + 1) * classes + c] as number,
      ];
      change += (start[n * classes + c] as number) * (up - down);
    }
    return change / width;
  });
}
