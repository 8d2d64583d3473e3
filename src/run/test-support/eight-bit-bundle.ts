// A bundle with eight-bit forms.
import { type Bundle, openBundle } from '../../bundle/index.ts';
import { storedCorrection, writeBundle } from '../../bundle/internal.ts';
import type { Dataset } from '../../data/index.ts';
import { addEightBit } from '../../pack/internal.ts';
import { Random } from '../../util/internal.ts';

/** Unlabelled noise of a bundle's input. */
export function samplesOf({ manifest }: Bundle, size: number, seed: number): Dataset {
  const random = new Random(seed);
  const { shape } = manifest.model.input;
  const length = shape.reduce((product, dim) => product * dim, 1);
  return {
    ...{
      kind: 'npz',
      name: `samples ${seed}`,
      size,
      sampleShape: shape,
      labels: undefined,
      origins: undefined,
    },
    samples: Float32Array.from({ length: size * length }, () => random.normal()),
    hash: `${seed}`,
    ...{ classNames: ['0', '1', '2'], skipped: [] },
  };
}

/** The bundle with eight-bit forms, written to a folder. */
export async function eightBitBundle(plain: Bundle, dir: string): Promise<Bundle> {
  const { manifest, model, tensors } = plain;
  const stored = manifest.variants.map((variant, index) => ({
    variant,
    correction: variant.corrected ? storedCorrection(tensors, index, manifest.layers) : undefined,
  }));
  const added = await addEightBit(plain, stored, {
    ...{ name: 'test', batch: 16, threads: 1, seed: 1, measure: 'agreement' },
    calibration: samplesOf(plain, 24, 1),
    validation: samplesOf(plain, 40, 2),
  });
  if ('left' in added) throw new Error(added.left);
  const { forms, variants } = added;
  const { source, input, output } = manifest.model;
  await writeBundle(dir, {
    model,
    tensors: new Map([...tensors, ...added.tensors]),
    manifest: { ...manifest, model: { source, input, output }, eightBit: forms, variants },
  });
  return await openBundle(dir);
}
