// The demo: explains a network, compares criteria, prunes, packs, plans and runs it, one step after another.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assertPrunable, findGroups, type Grouping } from '../../channels/index.ts';
import { type Dataset, generateEcg } from '../../data/index.ts';
import { disjointDraws } from '../../data/internal.ts';
import { type CriteriaComparison, compareCriteria, findCriterion, scoreModel } from '../../prune/index.ts';
import { detectBlock, type UnitScores } from '../../prune/internal.ts';
import { renderReport } from '../../report/index.ts';
import { loadNats, type NatsAccess } from '../../run/index.ts';
import { assertWritable, smallest, writeFileAtomic } from '../../util/index.ts';
import { type LabelFacts, labelFacts } from '../compare/comparison.ts';
import { comparisonReport } from '../compare/comparison-report.ts';
import { reportHeatmaps } from '../compare/report-heatmaps.ts';
import { loadNetwork, type Network } from '../network/network.ts';
import { type EngineOptions, runSettings } from '../options.ts';
import { type PruneResult, pruneDrawn } from '../prune/prune.ts';
import { DEFAULT_CRITERION } from '../ranking.ts';
import { type Journal, journalOf, type Reporter } from '../reporter.ts';
import { loadTwoSets, type TwoSets } from '../samples/samples.ts';
import type { DemoListener, FileSizes } from './demo-steps.ts';
import { type FleetDemoResult, fleetDemo } from './fleet-demo.ts';

/** The network of the demo, the place of its files, and who hears of its steps. */
export interface DemoOptions extends EngineOptions {
  /** A classifier as an ONNX file, with `data`; the shipped ECG network on generated beats if absent. */
  readonly model?: string | undefined;
  readonly data?: string | undefined;
  /** The folder for the pruned network, the bundle and the report. */
  readonly outDir: string;
  /** The server that connects the devices; local sockets if absent. */
  readonly nats?: NatsAccess | undefined;
  readonly seed?: number | undefined;
  /** Heeded once devices run: the demo then ends after the request that runs. */
  readonly signal?: AbortSignal | undefined;
  /** The command that the report names as its origin. */
  readonly command?: string | undefined;
  readonly onStep?: DemoListener | undefined;
}

/** Everything that the demo found. */
export interface DemoResult {
  readonly network: Network;
  readonly grouping: Grouping;
  readonly sets: TwoSets;
  /** Scores of all channels by the criterion `scoredBy`. */
  readonly scores: UnitScores;
  readonly scoredBy: string;
  readonly comparison: CriteriaComparison;
  readonly labels: LabelFacts;
  readonly pruned: PruneResult;
  readonly bytes: FileSizes;
  readonly fleet: FleetDemoResult;
  readonly files: { readonly model: string; readonly report: string };
  readonly seconds: number;
}

const CRITERIA = ['lrp-gamma', 'lrp-epsilon', 'taylor', 'l1', 'activation', 'random'];
const RATIOS = [0.1, 0.2, 0.3, 0.5];
const MACS_LEFT = 0.5;
/** The same place from `src` and from `dist`. */
const SHIPPED = fileURLToPath(new URL('../../../models/ecg-demo.onnx', import.meta.url));
const PER_CLASS = { local: 40, validation: 200, test: 400 };

/** Samples for each purpose of the demo. */
interface DemoSamples {
  readonly sets: TwoSets;
  /** For packing: samples that rank and repair, and others that measure level vectors. */
  readonly packing: { readonly calibration: Dataset; readonly validation: Dataset };
}

/**
 * Runs the demo.
 * @throws BedsideError E_OUTPUT and E_FABRIC before any work; as the use cases that it runs
 */
export async function demo(options: DemoOptions, reporter?: Reporter | Journal): Promise<DemoResult> {
  const journal = journalOf(reporter);
  const start = performance.now();
  const { outDir, nats, onStep = () => {}, signal = new AbortController().signal } = options;
  const settings = runSettings(options);
  const { seed } = settings;
  if (nats) await assertReachable(nats);
  const files = { model: join(outDir, 'pruned.onnx'), report: join(outDir, 'report.html') };
  for (const file of Object.values(files)) await assertWritable(file);
  const network = await loadNetwork(options.model ?? SHIPPED);
  const grouping = findGroups(network.canonical);
  assertPrunable(grouping, network.name);
  onStep({ step: 'network', network, grouping });
  const { sets, packing } = await loadSamples(network, options, journal);
  onStep({ step: 'samples', sets });

  const run: RunSettings = { ...settings, onStep };
  const parts = { network, grouping, sets };
  const scores = await score(parts, run, journal);
  const { comparison, labels } = await compare(parts, run, journal);
  const { pruned, bytes } = await prune(parts, files.model, run, journal);
  const fleet = await fleetDemo(
    {
      ...{ network, ...packing, test: sets.test, outDir, seed, nats, signal, onStep },
      criterion: pruned.auto?.picked ?? pruned.criterion,
      block: fittingBlock(grouping),
    },
    journal,
  );
  const words = {
    title: 'bedside demo: criteria compared',
    command: options.command ?? 'demo(), from a program',
    heatmaps: await reportHeatmaps(network, sets.calibration, CRITERIA.map(findCriterion), settings),
  };
  const report = renderReport(await comparisonReport(network, sets, comparison, words));
  await writeFileAtomic(files.report, report);
  const seconds = (performance.now() - start) / 1000;
  return {
    ...{ ...parts, scores, scoredBy: DEFAULT_CRITERION, comparison, labels },
    ...{ pruned, bytes, fleet, files, seconds },
  };
}

interface DemoParts {
  readonly network: Network;
  readonly grouping: Grouping;
  readonly sets: TwoSets;
}

interface RunSettings extends EngineOptions {
  readonly seed: number;
  readonly onStep: DemoListener;
}

async function score(
  { network, grouping, sets }: DemoParts,
  { onStep, ...run }: RunSettings,
  journal: Journal,
): Promise<UnitScores> {
  const scores = await journal.during('relevance', (progress) =>
    scoreModel(network.canonical, grouping, findCriterion(DEFAULT_CRITERION), sets.calibration, {
      ...run,
      name: network.name,
      onProgress: (done, total) => progress.update(done, total),
    }),
  );
  onStep({ step: 'relevance', criterion: DEFAULT_CRITERION, grouping, scores });
  return scores;
}

async function compare(
  { network, sets }: DemoParts,
  { onStep, ...run }: RunSettings,
  journal: Journal,
): Promise<{ readonly comparison: CriteriaComparison; readonly labels: LabelFacts }> {
  onStep({ step: 'comparing', criteria: CRITERIA });
  const comparison = await journal.during('comparing', (progress) =>
    compareCriteria(network.canonical, {
      ...run,
      ...sets,
      name: network.name,
      criteria: CRITERIA.map(findCriterion),
      ratios: RATIOS,
      onProgress: (step, done, total) => progress.update(done, total, step),
    }),
  );
  const labels = labelFacts(sets.test);
  onStep({ step: 'compared', comparison, labels });
  return { comparison, labels };
}

async function prune(
  { network, grouping, sets }: DemoParts,
  out: string,
  { onStep, ...run }: RunSettings,
  journal: Journal,
): Promise<{ readonly pruned: PruneResult; readonly bytes: FileSizes }> {
  onStep({ step: 'pruning', macs: MACS_LEFT });
  const settings = { ...run, macs: MACS_LEFT, block: fittingBlock(grouping), out };
  const pruned = await pruneDrawn(network, sets, settings, journal);
  const bytes = { before: (await stat(network.name)).size, after: (await stat(out)).size };
  onStep({ step: 'pruned', pruned, bytes });
  return { pruned, bytes };
}

/** A server that cannot be reached is an error now, before all other work. */
async function assertReachable(nats: NatsAccess): Promise<void> {
  const { connectNats } = await loadNats();
  const connection = await connectNats(nats);
  await connection.close();
}

async function loadSamples(network: Network, options: DemoOptions, journal: Journal): Promise<DemoSamples> {
  const { data, seed = 1 } = options;
  if (data === undefined) {
    const calibration = generateEcg({ perClass: PER_CLASS.local, seed, split: 'local' });
    const test = generateEcg({ perClass: PER_CLASS.test, seed, split: 'test' });
    // Another seed gives other beats.
    const validation = generateEcg({ perClass: PER_CLASS.validation, seed: seed + 1, split: 'local' });
    return { sets: { calibration, test }, packing: { calibration, validation } };
  }
  const testLimit = affordableSamples(network.costs.macs);
  const sets = await loadTwoSets(network.classifier, { data, testLimit }, seed, journal);
  const half = Math.ceil(sets.calibration.size / 2);
  const [calibration, validation] = disjointDraws(
    sets.calibration,
    { first: half, second: half, classes: sets.calibration.classNames.length },
    seed,
  );
  return { sets, packing: { calibration, validation } };
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
