// Measures a network, removes half of its work without retraining, and measures the smaller one.
// Run it in the repository: npx tsx examples/01-evaluate-and-prune.ts
import { fileURLToPath } from 'node:url';
import { evaluate, generateEcg, loadNetwork, prune } from 'bedside';

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

// Any ONNX network for classes will do. This one tells five kinds of heartbeats apart, and knows generated ones only.
const network = await loadNetwork(fileURLToPath(new URL('../models/ecg-demo.onnx', import.meta.url)));

// Samples in memory; `data: 'scans/'` would read a folder instead. A third of them ranks channels and repairs, the others measure.
const data = generateEcg({ perClass: 120, seed: 7 });

const whole = await evaluate(network, { data });
console.log(
  `unpruned: ${percent(whole.accuracy)} of ${whole.n} beats, ${whole.macs} multiply-accumulates each`,
);

// `out: 'half.onnx'` would write the smaller network as well; it is in `half.model`.
const half = await prune(network, { data, macs: 0.5, criterion: 'lrp-gamma' });
console.log(
  `pruned:   ${percent(half.accuracyAfter)} of ${half.n} beats, ${half.macs} multiply-accumulates each ` +
    `(unpruned, on the same beats: ${percent(half.accuracyBefore)})`,
);
console.log(`same answer for ${percent(half.agreement)}, ${half.speedup.toFixed(2)} times as fast`);
for (const { layers, channels, kept } of half.groups) {
  console.log(`  ${kept} of ${channels} channels kept in ${layers.join(', ')}`);
}
