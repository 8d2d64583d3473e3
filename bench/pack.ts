// How long `pack` takes for each shared model, step by step, and how accurate its variants are.
// Command: npm run bench:pack [-- MODEL[:VARIANTS[:PER_CLASS]]...], which builds the package first
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openBundle } from '../src/bundle/index.ts';
import { createSession, tensor } from '../src/engine/index.ts';
import { canonicalModel, loadModel } from '../src/onnx/index.ts';
import { must } from '../src/util/index.ts';
import { secondsOfProcess } from './lib/figures.ts';
import { writeResults } from './lib/results.ts';
import { dataPath, modelPath, SHARED_MODELS } from './lib/shared.ts';
import { build, COMMAND } from './serve/processes.ts';

/** The old name of a step, which `seconds` keeps. */
const OLD_STEP = 'measuring mixes of levels';

const run = promisify(execFile);
const BATCH = 32;
const given = process.argv.slice(2);
const jobs = given.length > 0 ? given : SHARED_MODELS.map(({ name }) => name);

build();
const rows: (string | number)[][] = [];
const steps: (string | number)[][] = [];
for (const job of jobs) {
  const [name = '', variants, perClass = '20'] = job.split(':');
  const shared = SHARED_MODELS.find((model) => model.name === name);
  if (!shared) throw new Error(`no shared model '${name}'`);
  const speed = await runsPerSecond(name);
  const folder = await mkdtemp(join(tmpdir(), 'bedside-bench-pack-'));
  const start = { wall: performance.now(), processor: childSeconds() };
  const out = join(folder, name);
  const words = ['pack', modelPath(name), '--data', dataPath(shared.data), '--out', out];
  words.push('--per-class', perClass);
  if (variants !== undefined) words.push('--variants', variants);
  const { stdout } = await run(process.execPath, [COMMAND, ...words, '--threads', '2', '--json', '--quiet']);
  const wall = (performance.now() - start.wall) / 1000;
  const processor = childSeconds() - start.processor;
  const result = JSON.parse(stdout) as { readonly lowRank: number; readonly seconds: Record<string, number> };
  const { manifest } = await openBundle(out);
  await rm(folder, { recursive: true });
  const found = manifest.variants.map((variant) => variant.accuracy);
  const [unpruned = Number.NaN] = found;
  const mean = found.reduce((sum, value) => sum + value, 0) / found.length;
  rows.push([
    name,
    Number(perClass),
    speed.toFixed(0),
    found.length,
    result.lowRank,
    wall.toFixed(1),
    processor.toFixed(1),
    unpruned.toFixed(4),
    mean.toFixed(4),
  ]);
  for (const [step, seconds] of Object.entries(result.seconds)) {
    if (step !== OLD_STEP) steps.push([name, step, seconds.toFixed(1)]);
  }
  process.stderr.write(`${rows.at(-1)?.join(' ')}\n`);
}

/** Seconds of processors that ended child processes took; NaN where the system does not tell. */
function childSeconds(): number {
  return secondsOfProcess(process.pid)?.children ?? Number.NaN;
}

/** How many samples a second the engine runs through a network. */
async function runsPerSecond(name: string): Promise<number> {
  const model = canonicalModel(await loadModel(modelPath(name)));
  const [{ dims = [] } = {}] = model.graph.inputs;
  const shape = [BATCH, ...(dims ?? []).slice(1).map(Number)];
  const session = await createSession(model, { name });
  const input = tensor(new Float32Array(shape.reduce((all, dim) => all * dim, 1)).fill(0.5), shape);
  const feeds = { [must(model.graph.inputs[0], 'an input').name]: input };
  await session.run(feeds);
  const start = performance.now();
  let runs = 0;
  for (; performance.now() - start < 1000; runs++) await session.run(feeds);
  const seconds = (performance.now() - start) / 1000;
  await session.release();
  return (BATCH * runs) / seconds;
}

await writeResults('pack', {
  title: 'Packing the shared models',
  command: ['npm run bench:pack', ...(given.length > 0 ? ['--', ...given] : [])].join(' '),
  about:
    'Each shared model packed with the defaults of `bedside pack` and two threads, one after the other, by the built command. ' +
    'Seconds of processors count no other work of the machine. The mean accuracy is that of all measured variants, ' +
    'on validation samples. Runs a second are those of the unpruned network on one thread, at batch 32, just before: what ' +
    'packing takes follows them, and they differ from day to day by twice on machines that others share.',
  tables: [
    {
      title: 'Whole',
      columns: [
        'model',
        'samples a class',
        'runs/s',
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
