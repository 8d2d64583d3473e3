// Explains a network: a score for every channel, and heatmaps of some samples. Then compares two criteria by pruning.
// Run it in the repository: npx tsx examples/03-explain.ts [folder]
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compare, explain, generateEcg, loadNetwork } from 'bedside';

const folder = process.argv[2] ?? (await mkdtemp(join(tmpdir(), 'bedside-explain-')));

// Any ONNX network for classes will do. This one tells five kinds of heartbeats apart, and knows generated ones only.
const network = await loadNetwork(fileURLToPath(new URL('../models/ecg-demo.onnx', import.meta.url)));

// Samples in memory; `data: 'scans/'` would read a folder instead.
const data = generateEcg({ perClass: 30, seed: 7 });

const explanation = await explain(network, { data, perClass: 10, heatmaps: folder, heatmapSamples: 1 });
console.log(
  `${explanation.criterion}: ${explanation.msPerSample.toFixed(1)} ms for each of ${explanation.samples} beats`,
);
for (const { name, scores } of explanation.layers.slice(0, 3)) {
  const best = scores.indexOf(Math.max(...scores));
  console.log(`  ${name}: channel ${best} of ${scores.length} matters most`);
}
console.log(`heatmaps: ${explanation.heatmaps?.index}`);

// `report: 'report.html'` would write a page with charts and tables as well.
const { base, rows } = await compare(network, { data, criteria: ['lrp-gamma', 'random'], ratios: [0.3] });
console.log(`unpruned: ${(100 * base.accuracy).toFixed(1)} % of ${base.n} beats`);
for (const { criterion, ratio, accuracy } of rows) {
  console.log(`${criterion}, ${100 * ratio} % of the channels removed: ${(100 * accuracy).toFixed(1)} %`);
}
