// The speed of this machine, measured without a bundle.
import { createSession, tensor } from '../../engine/index.ts';
import { floatConstant, GraphBuilder, ints } from '../../onnx/internal.ts';
import { median } from '../../util/index.ts';

const CHANNELS = 32;
const SIZE = 32;
const REPEATS = 5;

/** MACs a second of a 3x3 convolution with 32 channels on 32x32, batch 1, on the CPU. Takes well under a second. */
export async function machineSpeed(threads: number): Promise<number> {
  const builder = new GraphBuilder();
  const input = builder.input('input', [1, CHANNELS, SIZE, SIZE]);
  const weights = new Float32Array(CHANNELS * CHANNELS * 9).fill(0.01);
  const weight = builder.constant(floatConstant(weights, [CHANNELS, CHANNELS, 3, 3]), 'weight');
  const output = builder.node('Conv', [input, weight], { pads: ints([1, 1, 1, 1]) });
  builder.output(output, [1, CHANNELS, SIZE, SIZE]);
  const session = await createSession(builder.model(), { name: 'speed of this machine', threads });
  try {
    const feeds = { [input]: tensor(new Float32Array(CHANNELS * SIZE * SIZE), [1, CHANNELS, SIZE, SIZE]) };
    const times: number[] = [];
    for (let run = 0; run <= REPEATS; run++) {
      const start = performance.now();
      await session.run(feeds);
      if (run > 0) times.push((performance.now() - start) / 1000);
    }
    return (CHANNELS * CHANNELS * 9 * SIZE * SIZE) / median(times);
  } finally {
    await session.release();
  }
}
