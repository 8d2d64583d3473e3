// Every shared network in float32, in eight bits, pruned, and both: the task's main measure, bytes, and milliseconds at batches
// of 1 and 16, all timed in turn in one process.
// Command: npm run bench:quantize [-- NAME...]; with names only their rows are measured, and take the place of those before.
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { journalOf, loadTwoSets, type Network, type TwoSets } from '../src/app/index.ts';
import { networkForData } from '../src/app/internal.ts';
import { findGroups } from '../src/channels/index.ts';
import { createSession, type Session, type Tensor, tensor } from '../src/engine/index.ts';
import { evaluateModel, mainMeasure } from '../src/evaluate/internal.ts';
import { type Model, writeModel } from '../src/onnx/index.ts';
import { autoCriterion, detectBlock, rankAuto, reachingBlock } from '../src/prune/internal.ts';
import { quantizeModel } from '../src/quantize/index.ts';
import { saturates } from '../src/quantize/internal.ts';
import { repair } from '../src/repair/index.ts';
import { MEASURE_WORDS, messageOf, must } from '../src/util/index.ts';
import { rowRange } from '../src/util/internal.ts';
import { depthwiseNetwork } from './lib/depthwise-network.ts';
import { writeResults } from './lib/results.ts';
import { dataPath, modelPath, SHARED } from './lib/shared.ts';

const FRACTIONS = [0.5, 0.25, 0.1] as const;
const BATCHES = [1, 16] as const;
const ROUNDS = 40;

/** A network of the shared folder, or one that is made. */
interface Subject {
  readonly name: string;
  readonly data: string;
  readonly make?: () => Promise<string>;
}

/** The networks, and their data. */
const NETWORKS: readonly Subject[] = [
  { name: 'medical-mnist-vgg16', data: dataPath('medical-mnist') },
  { name: 'medical-mnist-resnet18', data: dataPath('medical-mnist') },
  { name: 'ecg-resnet1d', data: dataPath('mitdb') },
  ...['ecg-cnn-lstm', 'ecg-multilabel-2lead', 'ecg-unet-qrs', 'medical-mnist-vit'].map((name) => ({
    name,
    data: join(SHARED, 'data/tasks', `${name}.npz`),
  })),
  { name: 'depthwise, made', data: dataPath('medical-mnist'), make: depthwiseNetwork },
];

type Row = (string | number)[];

interface Variant {
  readonly what: string;
  readonly model: Model;
  readonly float: string;
}

const given = process.argv.slice(2);
const rows: Row[] = [];
const notes: string[] = [];
for (const { name, data, make } of NETWORKS.filter((one) => given.length === 0 || given.includes(one.name))) {
  if (!existsSync(data)) {
    notes.push(`- ${name}: its data is missing`);
    continue;
  }
  try {
    const network = await networkForData(make ? await make() : modelPath(name), data, {}, journalOf());
    const sets = await loadTwoSets(network.classifier, { data, testLimit: 2000 }, 1, journalOf());
    const variants = await variantsOf(network, sets);
    rows.push(...(await rowsOf(name, network, sets, variants)));
  } catch (error) {
    notes.push(`- ${name}: ${messageOf(error)}`);
  }
}
await report();

/** The network in all its forms. */
async function variantsOf(
  { canonical, name: path, classifier }: Network,
  { calibration }: TwoSets,
): Promise<Variant[]> {
  const name = basename(path, '.onnx');
  const common = { name, calibration, threads: 1, seed: 1 };
  const tell = (what: string): void => void process.stderr.write(`${name}: ${what}\n`);
  const variants: Variant[] = [{ what: 'float32', model: canonical, float: '' }];
  const add = async (
    what: string,
    model: Model,
    reference?: Parameters<typeof quantizeModel>[1]['reference'],
  ) => {
    tell(`${what}, eight bits`);
    const found = await quantizeModel(model, { ...common, reference, reducedRange: await saturates() });
    const float = found.layersKeptFloat.length;
    variants.push({ what, model: found.model, float: `${found.layers.length} / ${float}` });
  };
  await add('int8', canonical);
  const groups = findGroups(canonical);
  const rankings = new Map<number, ReturnType<typeof rankAuto>>();
  for (const macsFraction of FRACTIONS) {
    // As `bedside prune`: the blocks of this processor, or the largest part of them that reaches the amount.
    const block = reachingBlock(canonical, groups, macsFraction, detectBlock());
    tell(`pruned to ${macsFraction}`);
    if (block !== detectBlock()) notes.push(`- ${name} at ${macsFraction}: in blocks of ${block} channels`);
    try {
      const ranking =
        rankings.get(block) ??
        rankAuto(canonical, {
          ...common,
          criterion: autoCriterion(),
          block,
          repaired: true,
          batch: classifier.fixedBatch ?? 32,
        });
      rankings.set(block, ranking);
      const { model, grouping, keep } = await ranking.prune({ macsFraction });
      const repaired = await repair(canonical, model, grouping, keep, common);
      variants.push({ what: `pruned to ${macsFraction}`, model: repaired.model, float: '' });
      await add(`pruned to ${macsFraction}, int8`, repaired.model, { model: canonical, grouping, keep });
    } catch (error) {
      notes.push(`- ${name} at ${macsFraction}: ${messageOf(error)}`);
    }
  }
  return variants;
}

async function rowsOf(
  name: string,
  network: Network,
  { test }: TwoSets,
  variants: Variant[],
): Promise<Row[]> {
  const first = must(variants[0], 'a network');
  const float = await evaluateModel(first.model, test, { name, reference: 'own' });
  const times = await timesOf(network, test.samples, test.size, variants);
  const result: Row[] = [];
  for (const [i, { what, model, float: kept }] of variants.entries()) {
    const found = i === 0 ? float : await evaluateModel(model, test, { name, reference: float.logits });
    const [main, before] = [mainMeasure(found.measures), mainMeasure(float.measures)];
    const [own, base] = [must(times[i], 'times'), must(times[0], 'times')];
    const row: Row = [
      ...[
        name,
        what,
        MEASURE_WORDS[main.name],
        main.value.toFixed(4),
        (100 * (before.value - main.value)).toFixed(2),
      ],
      ...[kept, writeModel(model).length],
      ...own.map((ms) => ms.toFixed(3)),
      ...own.map((ms, at) => ((base[at] ?? Number.NaN) / ms).toFixed(1)),
    ];
    result.push(row);
    process.stderr.write(`${row.join('  ')}\n`);
  }
  return result;
}

/** The least milliseconds of one sample at each batch, of rounds that visit all networks in turn. */
async function timesOf(
  { classifier }: Network,
  samples: Float32Array,
  size: number,
  variants: readonly Variant[],
): Promise<number[][]> {
  const sessions: Session[] = [];
  for (const { model, what } of variants)
    sessions.push(await createSession(model, { name: what, threads: 1 }));
  const least = variants.map(() => BATCHES.map(() => Number.POSITIVE_INFINITY));
  for (const [at, batch] of BATCHES.entries()) {
    const rows = classifier.fixedBatch ?? batch;
    const feeds: Record<string, Tensor> = {
      [classifier.input]: tensor(rowRange(samples, size, 0, rows), [rows, ...classifier.sampleShape]),
    };
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, session] of sessions.entries()) {
        const start = performance.now();
        let runs = 0;
        while (runs < 2 || performance.now() - start < 4) {
          const begun = performance.now();
          await session.run(feeds);
          const row = must(least[i], 'a row');
          row[at] = Math.min(row[at] ?? Number.NaN, (performance.now() - begun) / rows);
          runs++;
        }
      }
    }
  }
  for (const session of sessions) await session.release();
  return least;
}

async function report(): Promise<void> {
  const known = join(import.meta.dirname, 'results/quantize.json');
  if (given.length > 0 && existsSync(known)) {
    const { tables } = JSON.parse(readFileSync(known, 'utf8')) as {
      tables: { rows: Row[]; note?: string }[];
    };
    const order = NETWORKS.map(({ name }): string => name);
    rows.push(...(tables[0]?.rows ?? []).filter(([name]) => !given.includes(String(name))));
    const told = tables[0]?.note?.split('\n') ?? [];
    notes.push(...told.filter((line) => !given.some((name) => line.startsWith(`- ${name}`))));
    rows.sort(([a], [b]) => order.indexOf(String(a)) - order.indexOf(String(b)));
  }
  const text = await writeResults('quantize', {
    title: 'Eight bits, pruning, and both',
    command: 'npm run bench:quantize',
    about:
      'Networks of the shared folder, and one of depthwise layers with channels of very different ranges, of random weights ' +
      'with a classifier fitted to the images. Eight bits: `quantizeModel` with its defaults. Pruned: `auto`, repaired. Both: pruned, ' +
      'repaired, then quantised toward the unpruned network. 20 samples a class calibrate (seed 1), up to 2,000 of the test ' +
      'split measure. Times are the least of one thread over rounds that visit all forms of a network in turn, so that they ' +
      'can be compared with each other. Points lost and factors are beside the network in float32. Layers: with eight bits, ' +
      `and what stays in float32. Products of integers are ${(await saturates()) ? 'not ' : ''}exact on this machine's engine.`,
    tables: [
      {
        title: 'All forms of each network',
        columns: [
          ...['network', 'form', 'measure', 'value', 'points lost', 'layers int8 / float', 'bytes'],
          ...['ms at 1', 'ms at 16', 'times as fast at 1', 'at 16'],
        ],
        rows,
        ...(notes.length > 0 ? { note: notes.join('\n') } : {}),
      },
    ],
  });
  process.stdout.write(text);
}
