// Networks for every task, pruned with the defaults and repaired: the task's main measure at half, a quarter and a tenth
// of the multiply-accumulates.
// Command: npm run bench:tasks [-- [--untimed] NAME[@MACS]...]; with names only their rows are measured (at one share of the
// multiply-accumulates, where that is given), and take the place of those before. --untimed leaves out times, for a machine
// that has other work to do.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadNetwork, prune } from '../src/app/index.ts';
import { MEASURE_WORDS, messageOf } from '../src/util/index.ts';
import { writeResults } from './lib/results.ts';
import { modelPath, SHARED } from './lib/shared.ts';

const FRACTIONS = [0.5, 0.25, 0.1] as const;
/** Points that may be lost at each. */
const GOALS = [1, 2, 4] as const;

/** The networks, and the archives of samples for them. */
const NETWORKS = [
  { name: 'ecg-cnn-lstm', data: 'ecg-cnn-lstm' },
  { name: 'ecg-multilabel-2lead', data: 'ecg-multilabel-2lead' },
  { name: 'ecg-unet-qrs', data: 'ecg-unet-qrs' },
  { name: 'medical-mnist-vit', data: 'medical-mnist-vit' },
] as const;

const untimed = process.argv.includes('--untimed');
const given = process.argv.slice(2).filter((argument) => argument !== '--untimed');
const wanted = (name: string, macs: number): boolean =>
  given.length === 0 || given.includes(name) || given.includes(`${name}@${macs}`);
const rows: (string | number)[][] = [];
const notes: string[] = [];
for (const { name, data } of NETWORKS.filter(({ name }) => FRACTIONS.some((macs) => wanted(name, macs)))) {
  const path = join(SHARED, 'data/tasks', `${data}.npz`);
  if (!existsSync(path)) {
    notes.push(`- ${name}: there is no ${data}.npz`);
    continue;
  }
  const network = await loadNetwork(modelPath(name));
  for (const [i, macs] of FRACTIONS.entries()) {
    if (!wanted(name, macs)) continue;
    const started = performance.now();
    try {
      const found = await prune(network, { data: path, macs, threads: 2, testLimit: 2000, speed: !untimed });
      const main = found.measure;
      const [before, after] = [
        found.measureBefore[main] ?? Number.NaN,
        found.measureAfter[main] ?? Number.NaN,
      ];
      const seconds = (performance.now() - started) / 1000;
      rows.push([
        ...[name, found.task, MEASURE_WORDS[main], macs, found.macsFraction.toFixed(3)],
        found.auto?.picked ?? found.criterion,
        ...[before.toFixed(4), after.toFixed(4), (100 * (before - after)).toFixed(2), GOALS[i] ?? ''],
        ...(untimed ? ['', ''] : [found.speedup.toFixed(1), seconds.toFixed(0)]),
      ]);
    } catch (error) {
      rows.push([name, '', '', macs, '', '', '', '', 'refused', GOALS[i] ?? '', '', '']);
      notes.push(`- ${name} at ${macs}: ${messageOf(error)}`);
    }
    process.stderr.write(`${rows.at(-1)?.join('  ')}\n`);
  }
}
const known = join(import.meta.dirname, 'results/tasks.json');
if (given.length > 0 && existsSync(known)) {
  const { tables } = JSON.parse(readFileSync(known, 'utf8')) as { tables: { rows: typeof rows }[] };
  const order = NETWORKS.map(({ name }): string => name);
  rows.push(...(tables[0]?.rows ?? []).filter(([name, , , macs]) => !wanted(String(name), Number(macs))));
  rows.sort(
    (a, b) => order.indexOf(String(a[0])) - order.indexOf(String(b[0])) || Number(b[3]) - Number(a[3]),
  );
}
process.stdout.write(
  await writeResults('tasks', {
    title: 'Every task, pruned and repaired',
    command: 'npm run bench:tasks',
    about:
      'Networks of the shared folder for more tasks than one label of convolutions: a recurrent network, several labels, a ' +
      'segmentation, a vision transformer. Each is pruned by `auto` and repaired, with 20 samples a class, and measured on up ' +
      'to 2,000 samples of the test split. Points are hundredths of the main measure. Each size is one draw (seed 1). Rows ' +
      'without times were measured on a machine that had other work to do.',
    tables: [
      {
        title: 'The main measure before and after',
        columns: [
          ...['network', 'task', 'measure', 'MACs asked', 'MACs left', 'criterion'],
          ...['before', 'after', 'points lost', 'goal', 'times as fast', 'seconds'],
        ],
        rows,
        ...(notes.length > 0 ? { note: notes.join('\n') } : {}),
      },
    ],
  }),
);
