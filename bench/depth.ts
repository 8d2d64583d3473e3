// Time and work of cutting and repairing by depth: chains of equal layers, and any network of bench/depth/networks.ts.
// Command: npm run bench:depth [-- NETWORK:CRITERION:SAMPLES...], where NETWORK is chain-N, or mobilenetV2,
// densenet121 or resnet50, followed by @SIZE for images of another size.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { formatBytes } from '../src/util/index.ts';
import { writeResults } from './lib/results.ts';

const ONE = fileURLToPath(new URL('depth/one.ts', import.meta.url));
const CHAINS = [20, 40, 80, 160].map((depth) => `chain-${depth}:l2:4`);
/** As `prune` does it unless told otherwise. */
const WHOLE = ['mobilenetV2', 'densenet121', 'resnet50'].map((name) => `${name}:auto:40`);

interface Outcome {
  readonly picked: string;
  readonly layers: number;
  readonly copies: number;
  readonly seconds: number;
  readonly processor: number;
  readonly sessions: number;
  readonly runs: number;
  readonly productGflop: number;
  readonly peakBytes: number;
  readonly steps: Readonly<Record<string, { readonly wall: number; readonly processor: number }>>;
  readonly distance: number;
}

function measured(job: string): Outcome & { readonly name: string; readonly samples: string } {
  const [name = '', criterion = 'l2', samples = '4'] = job.split(':');
  const found = spawnSync(process.execPath, ['--import', 'tsx', ONE, name, criterion, samples], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (found.status !== 0) throw new Error(`${job} exited with ${found.status}`);
  process.stderr.write(`${found.stdout}`);
  return { ...(JSON.parse(found.stdout) as Outcome), name, samples };
}

const given = process.argv.slice(2);
const jobs = given.length > 0 ? given : [...CHAINS, ...WHOLE];
const chosen = (job: string): boolean => job.split(':')[1] === 'auto';
const chains = jobs.filter((job) => !chosen(job)).map(measured);
const whole = jobs.filter(chosen).map(measured);

await writeResults('depth', {
  title: 'Cutting and repairing by depth',
  command: 'npm run bench:depth',
  about:
    'Networks of random weights, cut to half of the MACs and repaired on normal noise, two threads. A chain has ' +
    'convolutions of 32 channels at 16 x 16; MobileNetV2 reads 64 x 64, DenseNet-121 and ResNet-50 read 224 x 224. ' +
    'Seconds of processors count two threads, and other work on the machine does not count among them; runs and ' +
    'sessions are those of the engine. Peak memory is that of the whole process, samples and weights included.',
  tables: [
    {
      title: 'Work by depth',
      columns: [
        'network',
        'criterion',
        'samples',
        'layers',
        'seconds',
        'processor s',
        's a layer',
        'sessions',
        'runs',
        'products, Gflop',
        'peak memory',
      ],
      rows: chains.map((row) => [
        row.name,
        row.picked,
        row.samples,
        row.layers,
        row.seconds.toFixed(1),
        row.processor.toFixed(1),
        (row.processor / row.layers).toFixed(3),
        row.sessions,
        row.runs,
        row.productGflop.toFixed(1),
        formatBytes(row.peakBytes),
      ]),
    },
    {
      title: '`prune` with `auto`',
      columns: [
        'network',
        'samples',
        'made of each',
        'took',
        'layers repaired',
        'choosing, s',
        'repair, s',
        'seconds',
        'processor s',
        'peak memory',
        'distance',
      ],
      rows: whole.map((row) => [
        row.name,
        row.samples,
        row.copies,
        row.picked,
        row.layers,
        (row.steps['choose and cut']?.wall ?? Number.NaN).toFixed(1),
        (row.steps.repair?.wall ?? Number.NaN).toFixed(1),
        row.seconds.toFixed(1),
        row.processor.toFixed(1),
        formatBytes(row.peakBytes),
        row.distance.toFixed(3),
      ]),
      note:
        'The distance is that of the logits from the unpruned ones on noise that nothing has read, root mean square, as ' +
        'a share of their own.',
    },
  ],
});
