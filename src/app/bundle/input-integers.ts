// What the inputs of a bundle are made of: images of 8 bits and signals of 12 to 16 bits are integers, and travel as these.
import type { Dataset } from '../../data/index.ts';
import { tensor } from '../../engine/index.ts';
import { bitsOnTheWire } from '../../run/internal.ts';

/** Samples that tell what inputs are made of. */
const TELLING = 16;

/** Bits of the integers that samples travel as; undefined where one of them travels as float32. */
export function integersOf({
  samples,
  sampleShape,
  size,
}: Pick<Dataset, 'samples' | 'sampleShape' | 'size'>): 8 | 16 | undefined {
  const stride = samples.length / size;
  const bits = Array.from({ length: Math.min(size, TELLING) }, (_, at) =>
    bitsOnTheWire(tensor(samples.slice(at * stride, (at + 1) * stride), [1, ...sampleShape])),
  );
  const most = Math.max(...bits);
  return most === 32 ? undefined : (most as 8 | 16);
}
