// Packs a network as a bundle: draws local samples, packs, writes the bundle and the chart of its frontier.
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { type BundleManifest, openBundle } from '../../bundle/index.ts';
import {
  MANIFEST_FILE,
  type PrecisionChoice,
  type Preprocessing,
  writeBundle,
} from '../../bundle/internal.ts';
import { assertPrunable, findGroups } from '../../channels/index.ts';
import type { Dataset } from '../../data/index.ts';
import { areImages, areRecordings } from '../../data/internal.ts';
import { ENGINE } from '../../engine/index.ts';
import type { Classifier } from '../../evaluate/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { recurrentLayer, type Uncounted } from '../../onnx/internal.ts';
import { PACK_RATIOS } from '../../pack/index.ts';
import { type PackedModel, packModel } from '../../pack/internal.ts';
import type { Precision } from '../../plan/internal.ts';
import {
  type AutoChoice,
  type CriterionChoice,
  detectBlock,
  type ScoreRemark,
} from '../../prune/internal.ts';
import { type FrontierRow, frontierChart, frontierRows } from '../../report/index.ts';
import { assertWritable, BedsideError, must, VERSION, writeFileAtomic } from '../../util/index.ts';
import { type NamedClasses, namedClasses, withClassNames } from '../network/class-names.ts';
import { hashNetwork, type Network, type NetworkSource } from '../network/network.ts';
import { networkForData } from '../network/task.ts';
import type { EngineOptions } from '../options.ts';
import { AUTO, criterionOf } from '../ranking.ts';
import { type Journal, journalOf, type Reporter, type Said } from '../reporter.ts';
import { type DrawOptions, type LocalDraws, localDraws } from '../samples/local-draws.ts';
import { lowRankThreshold } from './certify.ts';
import { integersOf } from './input-integers.ts';

/** Options of `pack`: samples, levels, and the folder to write. */
export interface PackOptions extends DrawOptions, EngineOptions {
  /** The folder to write: a new one, an empty one, or that of a bundle to replace. */
  readonly out: string;
  /** The bundle's name; default: the name of the network's file, without its ending. */
  readonly name?: string | undefined;
  /** The criterion that ranks the channels; default `auto`. */
  readonly criterion?: CriterionChoice | string | undefined;
  /** Fraction of channels removed at each level, ascending from 0; default 0, 1/8, ... 7/8. */
  readonly ratios?: readonly number[] | undefined;
  /** About this many level vectors are measured; default 128, fewer (at least 30) for large networks. */
  readonly variants?: number | undefined;
  /** Channels that kept counts are aligned to; default: as this processor computes together. */
  readonly block?: number | undefined;
  /** Whether to measure how long layers take on this machine; default true. */
  readonly measure?: boolean | undefined;
  /**
   * What stages may compute in, in any case; default: float32, and int8 too where that is at least 1.25 times as fast on
   * this machine and loses at most half a point, both of the unpruned network. With `measure: false` float32.
   */
  readonly precisions?: readonly Precision[] | undefined;
  /** Whether to try corrections of low rank; default true. */
  readonly lowRank?: boolean | undefined;
  /** The most positions that a layer is repaired from; default 4096. */
  readonly maxPositions?: number | undefined;
  /** Where the chart of the measured variants goes, an SVG; default beside the folder. */
  readonly chart?: string | undefined;
  readonly seed?: number | undefined;
}

/** The result of `pack`: the bundle that was written. */
export interface PackResult extends Said {
  readonly out: string;
  readonly name: string;
  readonly chart: string;
  /** What classes or labels are called, and who says so; absent where nothing does, and reports call them by number. */
  readonly classes?: NamedClasses;
  readonly criterion: string;
  /** What `auto` measured and chose; absent for another criterion. */
  readonly auto?: Omit<AutoChoice, 'criterion'> & { readonly criterion: string };
  readonly block: number;
  readonly ratios: readonly number[];
  /** How many groups, levels and variants there are, how many variants have a correction of low rank, how many stages. */
  readonly groups: number;
  readonly levels: number;
  readonly variants: number;
  readonly lowRank: number;
  /** How many variants have refitted weights for recurrent layers. */
  readonly recurrent: number;
  readonly stages: number;
  /** What stages may compute in. */
  readonly precisions: readonly Precision[];
  /** Who decided that, and what was measured for it. */
  readonly precisionChoice: PrecisionChoice;
  /** Layers whose inputs have equalised channels, for eight bits; the network answers as before. */
  readonly equalised: readonly string[];
  /** How many variants were also measured in eight bits, or why the bundle has no eight-bit forms. */
  readonly eightBit: number | string;
  readonly uncounted: readonly Uncounted[];
  /** Bytes of all files of the bundle. */
  readonly bytes: number;
  /** Samples that ranked and repaired, and samples that measured. */
  readonly calibration: number;
  readonly validation: number;
  readonly accuracyModel: BundleManifest['accuracy'];
  /** Outputs of the network, and nodes that only they need, that the bundle does not have. */
  readonly dropped?: PackedModel['given']['dropped'];
  /** The batch size that the network fixes, and the bundle does not. */
  readonly freedBatch?: number;
  readonly scoreRemarks?: readonly ScoreRemark[];
  /** Groups whose channels could not be put in order, and why. */
  readonly unordered?: Readonly<Record<string, string>>;
  readonly frontier: readonly FrontierRow[];
  /** Seconds of each step, and `total`. */
  readonly seconds: Readonly<Record<string, number>>;
  readonly manifest: BundleManifest;
}

/**
 * Packs a network: ranks its channels, repairs every level, measures level vectors, and writes the bundle, which is written
 * whole or not at all.
 * @throws BedsideError E_OUTPUT for a folder that holds other files; E_NO_CHANNELS; as `networkForData`, `localDraws`,
 *   `packModel` and `writeBundle`
 */
export async function pack(
  network: NetworkSource,
  options: PackOptions,
  reporter?: Reporter | Journal,
): Promise<PackResult> {
  const journal = journalOf(reporter);
  const { out, chart = chartOf(out), seed = 1 } = options;
  await assertBundleFolder(out);
  await assertWritable(chart);
  const loaded = await networkForData(network, options.data, options, journal);
  assertPrunable(findGroups(loaded.canonical), loaded.name);
  const start = performance.now();
  const draws = await localDraws(loaded.classifier, options, seed, journal);
  return await packDrawn(loaded, draws, { ...options, chart, since: start }, journal);
}

/**
 * As `pack`, on draws that there are. Where nothing else names the classes, the bundle keeps the names that the data has.
 * @param options `since` is when packing began, for `seconds.total`
 * @throws BedsideError as `packModel` and `writeBundle`
 */
export async function packDrawn(
  source: Network,
  draws: LocalDraws,
  options: Omit<PackOptions, 'data'> & { readonly since?: number },
  journal: Journal,
): Promise<PackResult> {
  const { out, chart = chartOf(out), name = nameOf(source.name), since = performance.now() } = options;
  const {
    block = detectBlock(),
    criterion = AUTO,
    ratios,
    variants,
    maxPositions,
    batch,
    threads,
    seed,
  } = options;
  const classes = namedClasses(source, draws.validation);
  const loaded = withClassNames(source, classes);
  const clock = new StepClock();
  const provenance = {
    source: { file: basename(loaded.name), sha256: await hashNetwork(loaded) },
    preprocessing: preprocessingOf(draws.calibration, loaded.classifier),
    contract: loaded.classifier.contract as Record<string, unknown> | undefined,
    integers: integersOf(draws.calibration),
    dataset: draws.calibration.name,
    versions: { bedside: VERSION, [ENGINE.name]: ENGINE.version },
    created: new Date().toISOString(),
  };
  const packed = await journal.during('packing', (progress) =>
    packModel(loaded.canonical, provenance, {
      name,
      ratios,
      block,
      variants,
      maxPositions,
      batch,
      threads,
      seed,
      ...draws,
      criterion: criterionOf(criterion),
      measureSeconds: options.measure,
      eightBit: options.precisions ? wantsEightBit(options.precisions) : 'ifWorth',
      lowRankFrom: lowRankThreshold(options.lowRank),
      unmerged: loaded.unmerged,
      onStep: (step, done, total) => {
        clock.at(step);
        progress.update(done, total, step);
      },
    }),
  );
  const recurrent = recurrentNodes(packed.contents.model);
  if (recurrent.length > 0) {
    const { length } = packed.contents.manifest.variants;
    journal.remark(
      `recurrent layers (${recurrent.join(', ')}) have refitted weights in ${packed.recurrent} of ${length} variants; ` +
        'at other levels they are cut alone, and prune repairs them further',
    );
  }
  clock.at('writing');
  await writeBundle(out, packed.contents);
  const { manifest } = await openBundle(out);
  await writeFileAtomic(chart, frontierChart(manifest));
  const seconds = { ...Object.fromEntries(clock.stop()), total: (performance.now() - since) / 1000 };
  const bytes = await bundleBytes(out, manifest);
  return { ...resultOf(packed, manifest, { out, chart, classes, block, bytes, seconds }), ...journal.said() };
}

/** Recurrent layers: their refitted weights hold for one level vector alone, so variants have them and tables do not. */
function recurrentNodes({ graph }: Model): string[] {
  return graph.nodes.flatMap((node) => (recurrentLayer(graph, node) ? [node.name] : []));
}

function resultOf(
  packed: PackedModel,
  manifest: BundleManifest,
  own: Pick<PackResult, 'out' | 'chart' | 'block' | 'bytes' | 'seconds'> & {
    readonly classes: NamedClasses | undefined;
  },
): Omit<PackResult, keyof Said> {
  const { accuracy, provenance, groups, ratios, variants } = manifest;
  const { choice, given, remarks, fixed } = packed;
  return {
    out: own.out,
    name: manifest.name,
    chart: own.chart,
    ...(own.classes && { classes: own.classes }),
    criterion: packed.criterion,
    ...(choice ? { auto: { ...choice, criterion: choice.criterion.name } } : {}),
    block: own.block,
    ratios,
    groups: groups.length,
    levels: ratios.length,
    variants: variants.length,
    lowRank: packed.lowRank,
    recurrent: packed.recurrent,
    stages: manifest.stages.length,
    precisions: manifest.eightBit ? ['float32', 'int8'] : ['float32'],
    precisionChoice: must(manifest.precisionChoice, 'a choice of precisions'),
    equalised: packed.equalised,
    eightBit: packed.eightBit,
    uncounted: manifest.uncounted ?? [],
    bytes: own.bytes,
    calibration: provenance.calibration,
    validation: provenance.validation,
    accuracyModel: accuracy,
    ...(given.dropped.outputs.length > 0 ? { dropped: given.dropped } : {}),
    ...(given.freedBatch === undefined ? {} : { freedBatch: given.freedBatch }),
    ...(remarks.length > 0 ? { scoreRemarks: remarks } : {}),
    ...(fixed.size > 0 ? { unordered: Object.fromEntries(fixed) } : {}),
    frontier: frontierRows(manifest),
    seconds: own.seconds,
    manifest,
  };
}

/** @throws BedsideError E_USAGE without float32, which every device can run */
function wantsEightBit(wanted: readonly Precision[]): boolean {
  if (wanted.includes('float32')) return wanted.includes('int8');
  throw new BedsideError('E_USAGE', 'a bundle always has float32, which every device can run', {
    hint: 'give --precisions float32,int8; a plan takes int8 where it is better',
  });
}

/** The removed share of the last level, unless ratios are given. */
const LAST_RATIO = PACK_RATIOS.at(-1) ?? 0.875;

/** Ratios for so many levels, evenly from 0 to 7/8 of the channels removed. */
export function evenRatios(levels: number): readonly number[] {
  return Array.from({ length: levels }, (_, level) => (LAST_RATIO * level) / (levels - 1));
}

/** The name of a bundle unless one is given: the file's, without its ending. */
export function nameOf(path: string): string {
  return basename(path, extname(path));
}

function chartOf(out: string): string {
  return `${out.replace(/[/\\]+$/, '')}.svg`;
}

/**
 * Refuses a folder that holds other things than a bundle, before long work is done for it.
 * @throws BedsideError E_OUTPUT
 */
async function assertBundleFolder(out: string): Promise<void> {
  const info = await stat(out).catch(() => undefined);
  const hint = 'name a folder of its own: a new one, an empty one, or that of a bundle to replace';
  if (info && !info.isDirectory()) {
    throw new BedsideError('E_OUTPUT', `cannot write the bundle ${out}: it is a file`, { hint });
  }
  const found = info ? await readdir(out) : [];
  if (found.length > 0 && !found.includes(MANIFEST_FILE)) {
    throw new BedsideError('E_OUTPUT', `cannot write the bundle ${out}: the folder holds other files`, {
      hint,
    });
  }
  await assertWritable(join(out, MANIFEST_FILE));
}

async function bundleBytes(out: string, { model, weights }: BundleManifest): Promise<number> {
  return (await stat(join(out, MANIFEST_FILE))).size + model.bytes + weights.bytes;
}

function preprocessingOf(dataset: Dataset, { sampleShape, contract }: Classifier): Preprocessing {
  const [channels, height, width] = sampleShape;
  const { kind } = dataset;
  if (areImages(dataset) && contract?.image) {
    return { kind: 'images', description: "made the network's size, and prepared as `contract.image` says" };
  }
  if (areRecordings(dataset) && contract?.signal) {
    return { kind: 'beats', description: 'windows of recordings, prepared as `contract.signal` says' };
  }
  const windows =
    dataset.peak === null
      ? `windows of ${sampleShape.at(-1)} samples one after the other`
      : `${sampleShape.at(-1)} samples around the R peak`;
  const what = areImages(dataset)
    ? 'images'
    : areRecordings(dataset) || kind === 'synthetic'
      ? 'beats'
      : 'tensors';
  switch (what) {
    case 'images':
      return {
        kind: 'images',
        description: `made ${channels === 1 ? 'grey' : 'RGB'}, resized to ${width} x ${height}, pixels divided by 255`,
      };
    case 'beats':
      return {
        kind: 'beats',
        description: `${windows}, less their mean, over their standard deviation`,
      };
    case 'tensors':
      return {
        kind: 'tensors',
        description:
          'arrays of an .npz: bytes are resized to the input and divided by 255, other numbers taken as they are',
      };
  }
}

/** How long steps take, by name; a step that comes again goes on. */
class StepClock {
  readonly #seconds = new Map<string, number>();
  #step = 'ranking';
  #since = performance.now();

  at(step: string): void {
    if (step === this.#step) return;
    this.#book();
    this.#step = step;
  }

  stop(): ReadonlyMap<string, number> {
    this.#book();
    return this.#seconds;
  }

  #book(): void {
    const now = performance.now();
    this.#seconds.set(this.#step, (this.#seconds.get(this.#step) ?? 0) + (now - this.#since) / 1000);
    this.#since = now;
  }
}
