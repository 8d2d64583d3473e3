// The network that the package ships, packed with little of everything, and beats for it.
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateEcg, npyArray, writeNpz } from 'bedside/data';
import type { Cli } from './cli.ts';
import { madeOnce, ROOT } from './made-once.ts';

export const DEMO = join(ROOT, 'models', 'ecg-demo.onnx');

const WORDS = `--data ecg.npz --per-class 8 --validation-per-class 10 --ratios .5,.75 --criterion l1 --block 1 --variants 3 --max-positions 200 --threads 1 --out ecg --quiet --no-measure --no-low-rank`;

/** Puts `ecg.npz` (25 beats a class) and the bundle `ecg` into a folder. */
export async function copyPackedEcg(cli: Cli, folder: string): Promise<void> {
  const made = await madeOnce('packed-ecg', async (draft) => {
    const { size, sampleShape, samples, labels } = generateEcg({ perClass: 25, seed: 5 });
    const x = npyArray([size, ...sampleShape], samples);
    const y = npyArray([size], BigInt64Array.from(labels ?? [], BigInt));
    await writeFile(join(draft, 'ecg.npz'), writeNpz({ x, y }));
    const { status, stderr } = await cli.run(['pack', DEMO, ...WORDS.split(' ')], draft);
    if (status !== 0) throw new Error(`pack: ${stderr}`);
  });
  for (const name of ['ecg.npz', 'ecg']) await cp(join(made, name), join(folder, name), { recursive: true });
}
