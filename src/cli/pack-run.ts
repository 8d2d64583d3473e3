// Draws samples, packs a model, writes the bundle and the chart; and measures one more mix of a bundle.
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import {
  type DataOptions,
  DEFAULT_PER_CLASS,
  dataName,
  hashFile,
  hasNoSplits,
  loadSamples,
  type Network,
  remarkIdentical,
} from '../app/index.ts';
import {
  type Bundle,
  type BundleManifest,
  MANIFEST_FILE,
  openBundle,
  type Preprocessing,
  type Variant,
  writeBundle,
} from '../bundle/index.ts';
import { type Dataset, disjointDraws } from '../data/index.ts';
import { ENGINE } from '../engine/index.ts';
import { type Classifier, describeClassifier } from '../evaluate/index.ts';
import { certifyLevels, type PackedModel, type PackOptions, packModel } from '../pack/index.ts';
import { frontierChart } from '../report/index.ts';
import { assertWritable, BedsideError, VERSION, writeFileAtomic } from '../util/index.ts';
import type { Output } from './terminal/output.ts';

/** Samples of each class to measure on, unless said otherwise. */
export const DEFAULT_VALIDATION = 100;

/** Samples that rank and repair, and samples held apart that measure. */
export interface LocalDraws {
  readonly calibration: Dataset;
  readonly validation: Dataset;
}

/** What of the local samples goes where. */
export interface DrawOptions extends DataOptions {
  readonly validationPerClass: number;
}

/**
 * Two draws from the local split (from everything, where the data has no splits) that share no sample.
 * @throws BedsideError as `openDataset`; E_DATA when there are too few samples for both
 */
export async function localDraws(
  classifier: Classifier,
  options: DrawOptions,
  seed: number,
  output: Output,
): Promise<LocalDraws> {
  const { perClass = DEFAULT_PER_CLASS, validationPerClass, ...rest } = options;
  const whole = options.split === undefined && (await hasNoSplits(options.data));
  const split = whole ? 'all' : 'local';
  const limit = perClass + validationPerClass;
  const all = await loadSamples(classifier, rest, { split, seed, perClass: limit }, output);
  const limits = { first: perClass, second: validationPerClass, classes: classifier.classes };
  const [calibration, validation] = disjointDraws(all, limits, seed);
  remarkIdentical([calibration], validation, output);
  output.note(`ranking and repairing on ${calibration.size} samples, measuring on ${validation.size} others`);
  return { calibration, validation };
}

/** What is packed, and where to. */
export interface PackSettings
  extends Omit<PackOptions, 'calibration' | 'validation' | 'unmerged' | 'onStep'> {
  readonly out: string;
  readonly chart: string;
}

/** What was written, and how long the steps took. */
export interface PackResult {
  readonly packed: PackedModel;
  readonly manifest: BundleManifest;
  /** Of all files of the bundle. */
  readonly bytes: number;
  /** Seconds by step, in the order in which they began. */
  readonly seconds: ReadonlyMap<string, number>;
}

/**
 * Packs, writes the bundle and the chart, and opens what was written.
 * @throws BedsideError as `packModel` and `writeBundle`
 */
export async function packAndWrite(
  loaded: Network,
  draws: LocalDraws,
  settings: PackSettings,
  output: Output,
): Promise<PackResult> {
  const { out, chart, ...options } = settings;
  const clock = new StepClock();
  const provenance = {
    source: { file: basename(loaded.name), sha256: await hashFile(loaded.name) },
    preprocessing: preprocessingOf(draws.calibration, loaded.classifier),
    dataset: draws.calibration.name,
    versions: { bedside: VERSION, [ENGINE.name]: ENGINE.version },
    created: new Date().toISOString(),
  };
  const packed = await output.during('packing', (progress) =>
    packModel(loaded.canonical, provenance, {
      ...options,
      ...draws,
      unmerged: loaded.unmerged,
      onStep: (step, done, total) => {
        clock.at(step);
        progress.update(done, total, step);
      },
    }),
  );
  clock.at('writing');
  await writeBundle(out, packed.contents);
  const { manifest } = await openBundle(out);
  await writeFileAtomic(chart, frontierChart(manifest));
  return { packed, manifest, bytes: await bundleBytes(out, manifest), seconds: clock.stop() };
}

/** One more measured mix, where it stands among the others, and the bundle's manifest with it. */
export interface Certified {
  readonly variant: Variant;
  readonly index: number;
  readonly manifest: BundleManifest;
}

/**
 * Measures one more mix of a bundle on fresh draws, and writes the bundle with it.
 * @throws BedsideError E_LEVELS; as `writeBundle`
 */
export async function certifyAndWrite(
  bundle: Bundle,
  levels: readonly number[],
  options: DrawOptions & CertifyOptions,
  output: Output,
): Promise<Certified> {
  const classifier = describeClassifier(bundle.model, bundle.dir);
  const draws = await localDraws(classifier, options, options.seed, output);
  tellOtherDraws(bundle, draws, options, output);
  return certifyDrawn(bundle, levels, draws, options, output);
}

/**
 * Says when samples that measure may be among those that ranked and repaired the bundle: the draws that packed it come again
 * only from the same data, seed and counts.
 */
export function tellOtherDraws(
  { manifest: { provenance } }: Bundle,
  { calibration, validation }: LocalDraws,
  { data, seed }: { readonly data: string | Dataset; readonly seed: number },
  output: Output,
): void {
  const same =
    basename(resolve(provenance.dataset)) === basename(resolve(dataName(data))) &&
    provenance.seed === seed &&
    provenance.calibration === calibration.size &&
    provenance.validation === validation.size;
  if (same) return;
  output.remark(
    'measured on other draws than the bundle was packed with: some of these samples may have ranked or repaired it; ' +
      `it was packed with --data ${provenance.dataset} --seed ${provenance.seed}, ` +
      `${provenance.calibration} samples that ranked and ${provenance.validation} that measured`,
  );
}

type CertifyOptions = Pick<PackOptions, 'batch' | 'threads' | 'lowRankFrom'> & { readonly seed: number };

/**
 * As `certifyAndWrite`, on draws that there are.
 * @throws BedsideError E_LEVELS; as `writeBundle`
 */
export async function certifyDrawn(
  bundle: Bundle,
  levels: readonly number[],
  draws: LocalDraws,
  { batch, threads, seed, lowRankFrom }: CertifyOptions,
  output: Output,
): Promise<Certified> {
  const { contents, variant } = await output.during('measuring', () =>
    certifyLevels(bundle, levels, { ...draws, batch, threads, seed, lowRankFrom }),
  );
  const manifest = await writeBundle(bundle.dir, contents);
  const key = variant.levels.join();
  return { variant, manifest, index: manifest.variants.findIndex((other) => other.levels.join() === key) };
}

/** The name of a bundle unless one is given: the file's, without its ending. */
export function nameOf(path: string): string {
  return basename(path, extname(path));
}

/**
 * Refuses a folder that holds other things than a bundle, before long work is done for it.
 * @throws BedsideError E_OUTPUT
 */
export async function assertBundleFolder(out: string): Promise<void> {
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

function preprocessingOf({ kind }: Dataset, { sampleShape }: Classifier): Preprocessing {
  const [channels, height, width] = sampleShape;
  switch (kind) {
    case 'images':
      return {
        kind: 'images',
        description: `made ${channels === 1 ? 'grey' : 'RGB'}, resized to ${width} x ${height}, pixels divided by 255`,
      };
    case 'wfdb':
    case 'synthetic':
      return {
        kind: 'beats',
        description: `${sampleShape.at(-1)} samples around the R peak, less their mean, over their standard deviation`,
      };
    case 'npz':
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
