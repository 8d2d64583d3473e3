// Writes a network with eight-bit integers without retraining, and prunes another copy of it first.
// Run it in the repository: npx tsx examples/07-quantize.ts
import { fileURLToPath } from 'node:url';
import { generateEcg, loadNetwork, prune, quantize } from 'bedside';

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const network = await loadNetwork(fileURLToPath(new URL('../models/ecg-demo.onnx', import.meta.url)));

// Samples in memory; a third of them calibrates, without labels, and the others measure.
const data = generateEcg({ perClass: 60, seed: 7 });

// `out: 'int8.onnx'` would write the file as well; it is in `eight.model`, and plain ONNX Runtime runs it.
const eight = await quantize(network, { data });
console.log(
  `eight bits: ${eight.layersQuantized} layers, ${eight.bytes} bytes instead of ${eight.bytesBefore}, ` +
    `${eight.speedupSingle.toFixed(2)} times as fast, same answer for ${percent(eight.agreement)} of ${eight.n} beats`,
);
for (const { layer, range, equalised, error } of eight.layers) {
  console.log(`  ${layer}: ${range}${equalised ? ', equalised' : ''}, held-out error ${percent(error)}`);
}
for (const { name, reason } of eight.layersKeptFloat) console.log(`  ${name} stays in float32: ${reason}`);

// Pruned and repaired first, then quantised toward the unpruned network.
const both = await prune(network, { data, macs: 0.5, criterion: 'l1', int8: true });
console.log(
  `pruned too: ${both.int8?.bytes} bytes, ${percent(both.accuracyAfter)} of ${both.n} beats ` +
    `(unpruned, in float32: ${percent(both.accuracyBefore)})`,
);
