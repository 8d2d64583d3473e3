// Packs a network as a bundle: one folder that holds it at several sizes, with the measured accuracy of each.
// Run it in the repository: npx tsx examples/02-pack.ts
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { certify, evaluate, generateEcg, pack, type Reporter } from 'bedside';

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const network = fileURLToPath(new URL('../models/ecg-demo.onnx', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'bedside-example-'));

// What bedside says while it works: here notes are printed, and progress is not.
const reporter: Reporter = { note: (text) => console.log(`  (${text})`), progress: () => {} };

try {
  const data = generateEcg({ perClass: 45, seed: 7 });
  const options = { data, perClass: 15, validationPerClass: 30, criterion: 'lrp-gamma' };
  const packed = await pack(
    network,
    { ...options, out: join(folder, 'ecg'), ratios: [0, 0.5], variants: 6, measure: false, lowRank: false },
    reporter,
  );
  console.log(`${packed.groups} groups of channels at ${packed.levels} levels, ${packed.bytes} bytes`);
  for (const { levels, accuracy, macsFraction } of packed.frontier) {
    console.log(
      `  levels ${levels.join(',')}: ${percent(accuracy)} with ${percent(macsFraction)} of the work`,
    );
  }

  // One more level vector, measured on the same samples and added to the bundle.
  const levels = Array.from({ length: packed.groups }, (_, group) => group % packed.levels);
  const added = await certify(packed.out, levels, { ...options, lowRank: false });
  console.log(`variant ${added.variant}, levels ${levels.join(',')}: ${percent(added.accuracy)}`);

  // The bundle gives the network of any level vector, repaired and corrected, without fitting anything.
  const test = await evaluate(packed.out, { data: generateEcg({ perClass: 60, seed: 8 }), levels });
  console.log(`on other beats: ${percent(test.accuracy)} of ${test.n}`);
} finally {
  await rm(folder, { recursive: true });
}
