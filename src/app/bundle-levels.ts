// Bundles where commands also take models: telling them apart, and the network at the levels that options ask for.
import { stat } from 'node:fs/promises';
import {
  assembleModel,
  type Bundle,
  findVariant,
  keptUnitsAt,
  levelsOfRatio,
  type Variant,
} from '../bundle/index.ts';
import type { Model } from '../onnx/index.ts';
import { BedsideError } from '../util/index.ts';

/** Which levels of a bundle: one a group, or every group at the level nearest to a ratio; unpruned unless either is given. */
export interface LevelOptions {
  readonly levels?: readonly number[] | undefined;
  readonly ratio?: number | undefined;
  /** False by --no-correction. */
  readonly correction: boolean;
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

/** Whether a path is a folder, and so a bundle or nothing: models are files. */
export async function isBundle(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/**
 * The network at the levels that options ask for: those of --levels, or all at the one nearest to --ratio, or unpruned.
 * @throws BedsideError E_USAGE for both at once; E_LEVELS for levels that the bundle does not have
 */
export function networkAtLevels(bundle: Bundle, options: LevelOptions): NetworkAtLevels {
  const { manifest } = bundle;
  const levels = levelsOf(bundle, options);
  const keep = keptUnitsAt(manifest, levels);
  const index = findVariant(manifest, levels);
  const found = index === undefined ? undefined : manifest.variants[index];
  const corrected = options.correction && (found?.corrected ?? false);
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

/** What JSON says of a mix. */
export function levelFields({ levels, variant, corrected }: NetworkAtLevels): object {
  return { levels, variant: variant?.index ?? null, corrected };
}
