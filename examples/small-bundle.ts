// A small bundle for the examples: the shipped ECG network at three widths, packed from generated heartbeats in seconds.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Dataset, generateEcg, pack } from 'bedside';

/** The network that the package ships: it classifies heartbeats. */
export const NETWORK = fileURLToPath(new URL('../models/ecg-demo.onnx', import.meta.url));

/** Generated heartbeats that the bundle was not packed with. */
export const HEARTBEATS: Dataset = generateEcg({ perClass: 4, seed: 7, split: 'test' });

/** The path of one of the fleets in this folder. */
export const fleetFile = (name: string): string =>
  fileURLToPath(new URL(`fleets/${name}.json`, import.meta.url));

/** Packs the bundle into a folder that is removed afterwards, and works with it. */
export async function withSmallBundle(work: (bundle: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-example-'));
  try {
    const out = join(folder, 'ecg');
    await pack(NETWORK, {
      out,
      data: generateEcg({ perClass: 40, seed: 1, split: 'local' }),
      perClass: 10,
      validationPerClass: 30,
      criterion: 'l1',
      ratios: [0, 0.25, 0.5],
      variants: 8,
      maxPositions: 256,
      lowRank: false,
      precisions: ['float32'],
    });
    await work(out);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
