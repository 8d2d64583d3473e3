// Time and work of cutting and repairing by depth: chains of equal layers, and any network of bench/depth/networks.ts.
// Command: npm run bench:depth [-- NETWORK:CRITERION:SAMPLES...]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { formatBytes } from '../src/util/index.ts';
import { writeResults } from './lib/results.ts';

const ONE = fileURLToPath(new URL('depth/one.ts', import.meta.url));
const CHAINS = [20, 40, 80, 160].map((depth) => `chain-${depth}:l2:4`);

interface Outcome {
  readonly layers: number;
  readonly processor: number;
  readonly sessions: number;
  readonly runs: number;
  readonly productGflop: number;
  readonly peakBytes: number;
}

const given = process.argv.slice(2);
const rows = (given.length > 0 ? given : CHAINS).map((job) => {
  const [name = '', criterion = 'l2', samples = '4'] = job.split(':');
  const found = spawnSync(process.execPath, ['--import', 'tsx', ONE, name, criterion, samples], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (found.status !== 0) throw new Error(`${job} exited with ${found.status}`);
  const { layers, processor, sessions, runs, productGflop, peakBytes } = JSON.parse(found.stdout) as Outcome;
  const row = [
    name,
    criterion,
    samples,
    layers,
    processor.toFixed(1),
    (processor / layers).toFixed(3),
    sessions,
    runs,
    productGflop.toFixed(1),
    formatBytes(peakBytes),
  ];
  process.stderr.write(`${row.join(' ')}\n`);
  return row;
});

await writeResults('depth', {
  title: 'Cutting and repairing by depth',
  command: 'npm run bench:depth',
  about:
    'Networks of random weights, cut to half of the MACs and repaired on normal noise, two threads. A chain has ' +
    'convolutions of 32 channels at 16 x 16. Seconds are of processors, since other work on the machine does not ' +
    'count among them; runs and sessions are those of the engine.',
  tables: [
    {
      title: 'Work by depth',
      columns: [
        'network',
        'criterion',
        'samples',
        'layers',
        'processor s',
        's a layer',
        'sessions',
        'runs',
        'products, Gflop',
        'peak memory',
      ],
      rows,
    },
  ],
});
