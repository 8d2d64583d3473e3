// Writes the network of a bundle at chosen levels as a model of its own. Nothing is scored or fitted here.
import { resolve } from 'node:path';
import type { BundleManifest } from '../../bundle/index.ts';
import { MANIFEST_FILE } from '../../bundle/internal.ts';
import { type Model, modelCosts } from '../../onnx/index.ts';
import { restoredModel, type Uncounted } from '../../onnx/internal.ts';
import { assertWritable, BedsideError, must } from '../../util/index.ts';
import {
  type BundleSource,
  type LevelFields,
  type LevelOptions,
  levelFields,
  networkAtLevels,
} from '../bundle/bundle-levels.ts';
import { loadBundle } from '../bundle/open-bundle.ts';
import { saveNetwork } from '../network/form.ts';
import { type Journal, journalOf, type Reporter, type Said } from '../reporter.ts';

/** Which levels, and where to. */
export interface PruneBundleOptions extends LevelOptions {
  /** The ONNX file to write; default: none is written. */
  readonly out?: string | undefined;
}

/** The network at these levels. */
export interface PruneBundleResult extends Said, LevelFields {
  /** The file that was written; absent if none was asked for. */
  readonly out?: string;
  readonly name: string;
  /** The bundle's identity. */
  readonly bundle: string;
  readonly macs: number;
  readonly macsFraction: number;
  readonly uncounted: readonly Uncounted[];
  readonly parameters: number;
  readonly parametersFraction: number;
  /** The kind of accuracy: against labels, or agreement with the unpruned network. */
  readonly measure: BundleManifest['accuracy']['measure'];
  /** As measured when packed; null for levels that have not been measured. */
  readonly accuracy: number | null;
  readonly lowerBound: number | null;
  readonly groups: readonly {
    readonly id: number;
    readonly channels: number;
    readonly kept: number;
    readonly layers: readonly string[];
  }[];
  readonly model: Model;
}

/**
 * The network of a bundle at the levels asked for; it was ranked and repaired when the bundle was packed.
 * @throws BedsideError E_USAGE without levels, or for an `out` that is part of the bundle; E_LEVELS; E_OUTPUT; as
 *   `loadBundle`
 */
export async function pruneBundle(
  source: BundleSource,
  options: PruneBundleOptions,
  reporter?: Reporter | Journal,
): Promise<PruneBundleResult> {
  const journal = journalOf(reporter);
  const { out } = options;
  const dir = typeof source === 'string' ? source : source.dir;
  if (options.levels === undefined && options.ratio === undefined) {
    throw new BedsideError('E_USAGE', 'prune of a bundle needs either --levels or --ratio', {
      hint: `--ratio 0.5 takes the level nearest to half of every group; \`bedside inspect ${dir}\` lists groups and levels`,
    });
  }
  if (out !== undefined) await assertWritable(out);
  const bundle = await loadBundle(source, journal);
  const { manifest } = bundle;
  const own = [MANIFEST_FILE, manifest.model.file, manifest.weights.file].map((file) => resolve(dir, file));
  if (out !== undefined && own.includes(resolve(out))) {
    throw new BedsideError('E_USAGE', `--out ${out} is part of the bundle, which would be damaged`, {
      hint: 'choose another file name',
    });
  }
  const at = networkAtLevels(bundle, options);
  const costs = modelCosts(at.model);
  if (out !== undefined) for (const line of await saveNetwork(at.model, out)) journal.remark(line);
  const whole = modelCosts(bundle.model);
  return {
    ...(out === undefined ? {} : { out }),
    name: manifest.name,
    bundle: bundle.sha256,
    ...levelFields(at),
    macs: costs.macs,
    macsFraction: costs.macs / whole.macs,
    uncounted: costs.uncounted,
    parameters: costs.parameters,
    parametersFraction: costs.parameters / whole.parameters,
    measure: manifest.accuracy.measure,
    accuracy: at.variant?.accuracy ?? null,
    lowerBound: at.variant?.lowerBound ?? null,
    groups: manifest.groups.map(({ id, channels, layers }) => ({
      id,
      channels,
      kept: must(at.kept[id], 'a count for each group'),
      layers,
    })),
    model: restoredModel(at.model),
    ...journal.said(),
  };
}
