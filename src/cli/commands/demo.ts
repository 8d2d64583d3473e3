// `bedside demo`: the whole path on what the package ships, told as it goes.
import { stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import {
  comparisonReport,
  DEFAULT_CRITERION,
  labelFacts,
  loadNetwork,
  loadTwoSets,
  type Network,
  pruneDrawn,
  reportHeatmaps,
  type TwoSets,
} from '../../app/index.ts';
import { assertPrunable, findGroups, type Grouping } from '../../channels/index.ts';
import { type Dataset, disjointDraws, generateEcg } from '../../data/index.ts';
import {
  compareCriteria,
  detectBlock,
  findCriterion,
  scoreModel,
  type UnitScores,
} from '../../prune/index.ts';
import { describeUncounted, renderReport } from '../../report/index.ts';
import { loadNats, type NatsAccess } from '../../run/index.ts';
import {
  assertWritable,
  BedsideError,
  formatBytes,
  formatCount,
  formatPercent,
  formatSeconds,
  largest,
  must,
  smallest,
  writeFileAtomic,
} from '../../util/index.ts';
import { EXIT, examples } from '../command-line.ts';
import { type Played, play } from '../demo/play.ts';
import { addCommon, addRun, type CommonOptions, type ComputeOptions } from '../options/common.ts';
import { serverUrl } from '../options/nats.ts';
import { Output } from '../terminal/output.ts';
import { higherHalf, sortedSparkline } from '../terminal/sparkline.ts';
import { indent } from '../terminal/tables.ts';
import { typedCommand } from '../terminal/typed-command.ts';
import { baseFields, rowFields } from './compare/json.ts';
import { comparisonTables, ranking } from './compare/text.ts';
import { prunedJson } from './prune/json.ts';
import { describePruning } from './prune/text.ts';

const CRITERIA = ['lrp-gamma', 'lrp-epsilon', 'taylor', 'l1', 'activation', 'random'];
const RATIOS = [0.1, 0.2, 0.3, 0.5];
const MACS_LEFT = 0.5;
/** The same place from `src` and from `dist`. */
const SHIPPED = fileURLToPath(new URL('../../../models/ecg-demo.onnx', import.meta.url));
const PER_CLASS = { local: 40, validation: 200, test: 400 };

interface DemoOptions extends CommonOptions, ComputeOptions {
  readonly model?: string;
  readonly data?: string;
  readonly outDir: string;
  readonly fabric: string;
}

/** Adds the command to the program. */
export function addDemo(program: Command): void {
  const command = program
    .command('demo')
    .summary('the whole path on what the package ships, offline, in about a minute')
    .description(
      'Explains a network, compares criteria, prunes the network to half of its multiply-accumulates without ' +
        'retraining, and measures it. Then packs it at every width, plans and runs it on four emulated devices while a ' +
        'link is throttled and a device is killed, and compares distribution, pruning and both. By default on the small network that the package ships and on generated ECG ' +
        'beats (dynamical model of McSharry et al., IEEE TBME 2003): no download, no data needed.',
    )
    .option('--model <file>', 'an ONNX classifier of your own, with --data')
    .option('--data <dataset>', 'samples for it: an .npz, a folder of images or of WFDB records')
    .option('--out-dir <folder>', 'where the pruned model and the report go', 'bedside-demo');
  command.option(
    '--fabric <where>',
    'how the devices reach each other: local, nats (a server of this machine) or nats://host:port',
    fabric,
    'local',
  );
  addCommon(addRun(command))
    .addHelpText(
      'after',
      examples(
        ['bedside demo', 'about a minute'],
        ['bedside demo --model model.onnx --data scans/ --out-dir out', 'the same on your own'],
        ['bedside demo --fabric nats://127.0.0.1:4222', 'the devices over a NATS server that runs'],
      ),
    )
    .action((options: DemoOptions) => demo(options));
}

async function demo(options: DemoOptions): Promise<void> {
  const output = new Output(options);
  const start = performance.now();
  if ((options.model === undefined) !== (options.data === undefined)) {
    throw new BedsideError('E_USAGE', 'demo takes --model and --data together, or neither', {
      hint: 'bedside demo alone runs on what the package ships',
    });
  }
  const nats = await reachable(options.fabric);
  const files = { model: join(options.outDir, 'pruned.onnx'), report: join(options.outDir, 'report.html') };
  for (const file of Object.values(files)) await assertWritable(file);
  const loaded = await loadNetwork(options.model ?? SHIPPED);
  const grouping = findGroups(loaded.canonical);
  assertPrunable(grouping, loaded.name);
  tellNetwork(output, loaded, grouping);
  const sets = await loadSets(loaded, options, output);
  tellData(output, sets);

  const packed = packingSets(sets, options);
  const run = { batch: options.batch, threads: options.threads, seed: options.seed };
  const relevance = await output.during('relevance', (progress) =>
    scoreModel(loaded.canonical, grouping, findCriterion(DEFAULT_CRITERION), sets.calibration, {
      ...run,
      name: loaded.name,
      onProgress: (done, total) => progress.update(done, total),
    }),
  );
  tellRelevance(output, grouping, relevance);

  output.say(
    `\n4. Which criterion finds the channels that can go? Each of ${CRITERIA.length} scores all channels; the lowest ` +
      'are removed, nothing is retrained.\n',
  );
  const comparison = await output.during('comparing', (progress) =>
    compareCriteria(loaded.canonical, {
      ...run,
      ...sets,
      name: loaded.name,
      criteria: CRITERIA.map(findCriterion),
      ratios: RATIOS,
      onProgress: (step, done, total) => progress.update(done, total, step),
    }),
  );
  const labels = labelFacts(sets.test);
  output.say(indent(comparisonTables(comparison, labels)));
  const measure = labels.imbalanced ? 'balancedAccuracy' : 'accuracy';
  const best = must(ranking(comparison, measure)[0], 'no criterion was compared');

  output.say(
    `\n5. Prune to ${formatPercent(MACS_LEFT)} of the multiply-accumulates. The test samples above are ` +
      'not for choosing: auto picks the criterion by the samples for scoring alone, ranking on one half and measuring ' +
      'on the other. Then the layers behind what was cut are repaired in closed form, from the same samples.\n',
  );
  const pruned = await pruneDrawn(
    loaded,
    sets,
    { ...run, macs: MACS_LEFT, block: fittingBlock(grouping), out: files.model },
    output,
  );
  const bytes = { before: (await stat(loaded.name)).size, after: (await stat(files.model)).size };
  output.say(indent(describePruning(pruned)));
  output.say(indent(`file size: ${formatBytes(bytes.before)} before, ${formatBytes(bytes.after)} after`));

  const played = await play(
    {
      ...{ loaded, calibration: packed.calibration, validation: packed.validation, test: sets.test },
      ...{
        criterion: pruned.auto?.picked ?? pruned.criterion,
        block: fittingBlock(grouping),
        outDir: options.outDir,
        seed: options.seed,
        nats,
      },
    },
    output,
  );

  const words = {
    title: 'bedside demo: criteria compared',
    command: typedCommand(),
    heatmaps: await reportHeatmaps(loaded, sets.calibration, CRITERIA.map(findCriterion), run),
  };
  await writeFileAtomic(files.report, renderReport(await comparisonReport(loaded, sets, comparison, words)));
  const seconds = (performance.now() - start) / 1000;
  tellNext(output, loaded, options, files, played, seconds);
  output.result({
    model: loaded.name,
    data: { name: sets.test.name, calibration: sets.calibration.size, test: sets.test.size },
    network: networkFacts(loaded, grouping),
    base: baseFields(comparison.base),
    relevance: {
      criterion: DEFAULT_CRITERION,
      groups: grouping.groups.map(({ id, channels, layers }) => {
        const scores = scoresOf(relevance, id);
        return { id, channels, layers, higherHalf: higherHalf(scores), scores: Array.from(scores) };
      }),
    },
    rows: rowFields(comparison.rows),
    seconds: comparison.seconds,
    best,
    prune: { ...prunedJson(pruned), bytesBefore: bytes.before, bytesAfter: bytes.after },
    room: played,
    files,
    totalSeconds: seconds,
  });
  if (played.interrupted) process.exitCode = EXIT.interrupted;
}

/** --fabric: `nats` is a server of this machine at its usual port. */
function fabric(text: string): string {
  if (text === 'nats') return 'nats://127.0.0.1:4222';
  return text === 'local' ? text : serverUrl(text);
}

/** The server that is asked for, which is better found missing now than after everything else. */
async function reachable(place: string): Promise<NatsAccess | undefined> {
  if (place === 'local') return undefined;
  const access = { servers: [place] };
  const { connectNats } = await loadNats();
  const connection = await connectNats(access);
  await connection.close();
  return access;
}

/** Local samples for packing: those that score, and others that measure mixes of levels. */
function packingSets(
  sets: TwoSets,
  { data, seed }: DemoOptions,
): { calibration: Dataset; validation: Dataset } {
  if (data === undefined) {
    // Another seed makes other beats.
    const validation = generateEcg({ perClass: PER_CLASS.validation, seed: seed + 1, split: 'local' });
    return { calibration: sets.calibration, validation };
  }
  const half = Math.ceil(sets.calibration.size / 2);
  const [calibration, validation] = disjointDraws(
    sets.calibration,
    { first: half, second: half, classes: sets.calibration.classNames.length },
    seed,
  );
  return { calibration, validation };
}

async function loadSets(loaded: Network, options: DemoOptions, output: Output): Promise<TwoSets> {
  const { seed } = options;
  if (options.data === undefined) {
    return {
      calibration: generateEcg({ perClass: PER_CLASS.local, seed, split: 'local' }),
      test: generateEcg({ perClass: PER_CLASS.test, seed, split: 'test' }),
    };
  }
  const testLimit = affordableSamples(loaded.costs.macs);
  return loadTwoSets(loaded.classifier, { data: options.data, testLimit }, seed, output);
}

/** A test set that every row of the comparison can afford; by cost, not by time, so that runs repeat exactly. */
function affordableSamples(macs: number): number {
  const rows = CRITERIA.length * RATIOS.length + 1;
  return Math.round(Math.min(2000, Math.max(300, 7.5e11 / (rows * Math.max(macs, 1)))));
}

/** The engine's block, halved until the narrowest group has four of them: coarser steps would cost it too much. */
function fittingBlock(grouping: Grouping): number {
  const narrowest = smallest(grouping.groups.map((group) => group.channels));
  let block = detectBlock();
  while (block > 1 && block * 4 > narrowest) block /= 2;
  return block;
}

function networkFacts({ costs }: Network, { groups }: Grouping) {
  const { macs, uncounted, parameters } = costs;
  return { macs, uncounted, parameters, groups: groups.length };
}

function tellNetwork(output: Output, { name, costs, classifier }: Network, grouping: Grouping): void {
  const channels = grouping.groups.reduce((sum, group) => sum + group.channels, 0);
  output.say(
    `1. The network: ${shown(name)}\n` +
      `   It reads samples of [${classifier.sampleShape.join(', ')}] and tells ${classifier.classes} classes apart, with ` +
      `${formatCount(costs.macs)} multiply-accumulates (MACs) and ${formatCount(costs.parameters)} parameters.\n` +
      `   ${channels} channels can be pruned. They form ${grouping.groups.length} groups: channels that a sum or a ` +
      `concatenation ties together can only go together.${describeUncounted(costs.uncounted)
        .map((line) => `\n   ${line}`)
        .join('')}`,
  );
}

function tellData(output: Output, { calibration, test }: TwoSets): void {
  output.say(
    `\n2. The samples: ${test.name}\n` +
      `   ${calibration.size} for scoring channels, ${test.size} others for measuring` +
      `${test.labels ? `, classes ${test.classNames.join(', ')}` : ', without labels'}.`,
  );
}

function tellRelevance(output: Output, grouping: Grouping, relevance: UnitScores): void {
  output.say(
    '\n3. What matters? Relevance flows back from the explained class to every channel (layer-wise relevance ' +
      `propagation, ${DEFAULT_CRITERION}).\n   Channels of each group, the most relevant first:\n`,
  );
  for (const { id, channels } of grouping.groups) {
    const scores = scoresOf(relevance, id);
    const picture = sortedSparkline(scores, 48).padEnd(48);
    output.say(
      `   group ${String(id).padStart(2)} ${String(channels).padStart(5)} channels  ${picture}  ` +
        `the higher half holds ${(higherHalf(scores) * 100).toFixed(0)} %`,
    );
  }
}

function tellNext(
  output: Output,
  loaded: Network,
  options: DemoOptions,
  files: { readonly model: string; readonly report: string },
  played: Played,
  seconds: number,
): void {
  const model = options.model ?? shown(loaded.name);
  const next: readonly (readonly [string, string])[] = [
    [`bedside inspect ${model}`, 'its layers and groups'],
    ['bedside compare MODEL --data DATA --report report.html', 'your own network and samples'],
    ['bedside prune MODEL --data DATA --macs .5 --out smaller.onnx', 'a smaller network'],
    [`bedside infer ${played.bundle} --data DATA`, 'answers of the packed network, on workers'],
    ['bedside --help', 'everything else'],
  ];
  const width = largest(next.map(([command]) => command.length));
  output.say(
    `\n10. The report, one page with the chart and every number: ${files.report}\n\n` +
      `Done in ${formatSeconds(seconds)}. What next:\n` +
      next.map(([command, what]) => `  ${command.padEnd(width)}  # ${what}`).join('\n'),
  );
}

function scoresOf(scores: UnitScores, id: number): Float64Array {
  return must(scores.get(id), `no scores of group ${id}`);
}

/** A path as short as it can be said from here. */
function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}
