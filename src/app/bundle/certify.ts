// Measures one more level vector of a bundle, and adds it.
import type { Bundle, BundleManifest } from '../../bundle/index.ts';
import { checkLevels, findVariant, type Variant, writeBundle } from '../../bundle/internal.ts';
import type { Uncounted } from '../../onnx/internal.ts';
import { certifyLevels } from '../../pack/internal.ts';
import { must } from '../../util/index.ts';
import type { EngineOptions } from '../options.ts';
import { type Journal, journalOf, type Reporter, type Said } from '../reporter.ts';
import { type DrawOptions, type LocalDraws, localDraws, remarkOtherDraws } from '../samples/local-draws.ts';
import type { BundleSource } from './bundle-levels.ts';
import { classifierOf, loadBundle } from './open-bundle.ts';

/** Which samples measure, and how. */
export interface CertifyOptions extends DrawOptions, EngineOptions {
  /** With the seed, the data and the counts that packed the bundle, the same samples measure. */
  readonly seed?: number | undefined;
  /** Whether to try corrections of low rank; default true. */
  readonly lowRank?: boolean | undefined;
}

/** The variant that was added. */
export interface CertifyResult extends Said, Variant {
  /** The folder of the bundle, and its name. */
  readonly bundle: string;
  readonly name: string;
  /** The index of the variant, and how many there are now. */
  readonly variant: number;
  readonly variants: number;
  /** The kind of accuracy: against labels, or agreement with the unpruned network. */
  readonly measure: BundleManifest['accuracy']['measure'];
  /** What the network is for; absent where it tells the class of a single label. */
  readonly task?: BundleManifest['task'];
  readonly macsFraction: number;
  readonly uncounted: readonly Uncounted[];
}

/**
 * Measures one more level vector of a bundle on fresh draws of local samples, and writes the bundle with it.
 * @param levels one a group
 * @throws BedsideError E_LEVELS; as `loadBundle`, `localDraws` and `writeBundle`
 */
export async function certify(
  bundle: BundleSource,
  levels: readonly number[],
  options: CertifyOptions,
  reporter?: Reporter | Journal,
): Promise<CertifyResult> {
  const journal = journalOf(reporter);
  const { seed = 1 } = options;
  const opened = await loadBundle(bundle, journal);
  checkLevels(opened.manifest, levels);
  const classifier = classifierOf(opened);
  const draws = await localDraws(classifier, options, seed, journal);
  remarkOtherDraws(opened, draws, { data: options.data, seed }, journal);
  const { variant, index, manifest } = await certifyDrawn(opened, levels, draws, options, journal);
  const whole = manifest.variants[0]?.macs ?? variant.macs;
  return {
    bundle: opened.dir,
    name: manifest.name,
    variant: index,
    variants: manifest.variants.length,
    measure: manifest.accuracy.measure,
    ...(manifest.task ? { task: manifest.task } : {}),
    macsFraction: variant.macs / whole,
    uncounted: manifest.uncounted ?? [],
    ...variant,
    ...journal.said(),
  };
}

/** One more variant, its index, and the bundle's manifest with it. */
interface Certified {
  readonly variant: Variant;
  readonly index: number;
  readonly manifest: BundleManifest;
}

/**
 * As `certify`, on draws that there are.
 * @throws BedsideError E_LEVELS; as `writeBundle`
 */
export async function certifyDrawn(
  bundle: Bundle,
  levels: readonly number[],
  draws: LocalDraws,
  { batch, threads, seed = 1, lowRank }: Omit<CertifyOptions, 'data'>,
  journal: Journal,
): Promise<Certified> {
  const lowRankFrom = lowRankThreshold(lowRank);
  const { contents, variant } = await journal.during('measuring', () =>
    certifyLevels(bundle, levels, { ...draws, batch, threads, seed, lowRankFrom }),
  );
  const manifest = await writeBundle(bundle.dir, contents);
  return { variant, manifest, index: must(findVariant(manifest, variant.levels), 'the added variant') };
}

/** The loss of accuracy from which low rank is tried: undefined for the usual one. */
export function lowRankThreshold(lowRank: boolean | undefined): number | undefined {
  return lowRank === false ? Number.POSITIVE_INFINITY : undefined;
}
