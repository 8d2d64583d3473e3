// A bundle where a use case takes networks as well: telling the two apart, and the network at chosen levels.
import { stat } from 'node:fs/promises';
import { assembleModel, type Bundle, levelsOfRatio } from '../../bundle/index.ts';
import { findVariant, keptUnitsAt, type Variant } from '../../bundle/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { BedsideError } from '../../util/index.ts';
import type { NetworkSource } from '../network/network.ts';

/** Which levels of a bundle; unpruned unless either is given. */
export interface LevelOptions {
  /** The level of each group. */
  readonly levels?: readonly number[] | undefined;
  /** Every group at the level nearest to this fraction of channels removed. */
  readonly ratio?: number | undefined;
  /** Whether to fold in the correction that is stored for levels that have been measured; default true. */
  readonly correction?: boolean | undefined;
}

/** The network of a bundle at one level for each group. */
export interface NetworkAtLevels {
  readonly levels: readonly number[];
  /** The variant with these levels, if they have been measured. */
  readonly variant: (Variant & { readonly index: number }) | undefined;
  /** Whether the variant's correction is folded in. */
  readonly corrected: boolean;
  readonly model: Model;
  /** Units that stay of each group. */
  readonly kept: readonly number[];
}

/** The folder of a bundle, or an opened bundle. */
export type BundleSource = string | Bundle;

/** Whether a source is a bundle: opened, or a folder. Models are files. */
export async function isBundle(source: NetworkSource | BundleSource): Promise<boolean> {
  if (typeof source !== 'string') return 'manifest' in source;
  return (await stat(source).catch(() => undefined))?.isDirectory() ?? false;
}

/**
 * The network at the levels that the options name, or unpruned.
 * @throws BedsideError E_USAGE for both at once; E_LEVELS for levels that the bundle does not have
 */
export function networkAtLevels(bundle: Bundle, options: LevelOptions): NetworkAtLevels {
  const { manifest } = bundle;
  const levels = levelsOf(bundle, options);
  const keep = keptUnitsAt(manifest, levels);
  const index = findVariant(manifest, levels);
  const found = index === undefined ? undefined : manifest.variants[index];
  const corrected = options.correction !== false && (found?.corrected ?? false);
  return {
    levels,
    variant: found && index !== undefined ? { ...found, index } : undefined,
    corrected,
    model: assembleModel(bundle, levels, corrected ? { correction: index } : {}),
    kept: manifest.groups.map(({ id, channels }) => keep.get(id)?.length ?? channels),
  };
}

function levelsOf({ manifest }: Bundle, { levels, ratio }: LevelOptions): readonly number[] {
  if (levels && ratio !== undefined) {
    throw new BedsideError('E_USAGE', 'give either --levels or --ratio, not both', {
      hint: '--ratio takes the same level for every group, --levels one for each',
    });
  }
  return levels ?? levelsOfRatio(manifest, ratio ?? 0);
}

/** Which levels a result is for. */
export interface LevelFields {
  readonly levels: readonly number[];
  /** Index among the bundle's variants; null if these levels have not been measured. */
  readonly variant: number | null;
  readonly corrected: boolean;
}

/** The levels of a network, for a result. */
export function levelFields({ levels, variant, corrected }: NetworkAtLevels): LevelFields {
  return { levels, variant: variant?.index ?? null, corrected };
}

/**
 * Refuses an output that a bundle does not hold: it keeps the one that it was packed for.
 * @throws BedsideError E_USAGE
 */
export function assertBundleOutput({ manifest, dir }: Bundle, output: string | undefined): void {
  const own = manifest.model.output.name;
  if (output === undefined || output === own) return;
  throw new BedsideError(
    'E_USAGE',
    `the bundle ${dir} has no output '${output}': it was packed for '${own}'`,
    {
      hint: `pack the network again with --output ${output}`,
    },
  );
}
