// How long `pack` takes for each shared model, step by step, and how accurate its variants are.
// Command: npm run bench:pack [-- MODEL[:VARIANTS[:PER_CLASS]]...]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack } from '../src/app/index.ts';
import { clearMemoryLater } from '../src/util/internal.ts';
import { processorSeconds } from './lib/figures.ts';
import { writeResults } from './lib/results.ts';
import { dataPath, modelPath, SHARED_MODELS } from './lib/shared.ts';

// As the command does.
clearMemoryLater();

const given = process.argv.slice(2);
const jobs = given.length > 0 ? given : SHARED_MODELS.map(({ name }) => name);

const rows: (string | number)[][] = [];
const steps: (string | number)[][] = [];
for (const job of jobs) {
  const [name = '', variants, perClass = '20'] = job.split(':');
  const shared = SHARED_MODELS.find((model) => model.name === name);
  if (!shared) throw new Error(`no shared model '${name}'`);
  const folder = await mkdtemp(join(tmpdir(), 'bedside-bench-pack-'));
  const start = { wall: performance.now(), processor: processorSeconds() };
  const result = await pack(modelPath(name), {
    data: dataPath(shared.data),
    out: join(folder, name),
    variants: variants === undefined ? undefined : Number(variants),
    perClass: Number(perClass),
    threads: 2,
  });
  const wall = (performance.now() - start.wall) / 1000;
  const processor = processorSeconds() - start.processor;
  await rm(folder, { recursive: true });
  const found = result.manifest.variants.map((variant) => variant.accuracy);
  const [unpruned = Number.NaN] = found;
  const mean = found.reduce((sum, value) => sum + value, 0) / found.length;
  rows.push([
    name,
    Number(perClass),
    found.length,
    result.lowRank,
    wall.toFixed(1),
    processor.toFixed(1),
    unpruned.toFixed(4),
    mean.toFixed(4),
  ]);
  for (const [step, seconds] of Object.entries(result.seconds)) steps.push([name, step, seconds.toFixed(1)]);
  process.stderr.write(`${rows.at(-1)?.join(' ')}\n`);
}

await writeResults('pack', {
  title: 'Packing the shared models',
  command: ['npm run bench:pack', ...(given.length > 0 ? ['--', ...given] : [])].join(' '),
  about:
    'Each shared model packed with the defaults of `bedside pack` and two threads, one after the other. ' +
    'Seconds of processors count no other work of the machine. The mean accuracy is that of all measured variants, ' +
    'on validation samples.',
  tables: [
    {
      title: 'Whole',
      columns: [
        'model',
        'samples a class',
        'variants',
        'of low rank',
        'seconds',
        'processor s',
        'accuracy unpruned',
        'mean accuracy',
      ],
      rows,
    },
    { title: 'Steps', columns: ['model', 'step', 'seconds'], rows: steps },
  ],
});
