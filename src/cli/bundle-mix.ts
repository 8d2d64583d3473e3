// Bundles where commands also take models: telling them apart, and the network at the levels that options ask for.
import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
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
import { levelList } from './options.ts';

/** What `addMix` adds; `ratio` is the command's own. */
export interface MixOptions {
  readonly levels?: readonly number[] | undefined;
  readonly ratio?: number | undefined;
  /** False by --no-correction. */
  readonly correction: boolean;
}

/** The network of a bundle at one level for each group. */
export interface Mix {
  readonly levels: readonly number[];
  /** The variant with these levels, if they have been measured. */
  readonly variant: (Variant & { readonly index: number }) | undefined;
  /** Whether the variant's correction is folded in. */
  readonly corrected: boolean;
  readonly model: Model;
  /** Units that stay of each group. */
  readonly kept: readonly number[];
}

/** --levels and --no-correction. */
export function addMix(command: Command): Command {
  return command
    .option(
      '--levels <list>',
      'of a bundle: the level of each group, in the order that inspect lists them, such as 0,3,1',
      levelList,
    )
    .option(
      '--no-correction',
      'of a bundle: leave out the correction that is stored for levels that have been measured',
    );
}

/** Whether a path is a folder, and so a bundle or nothing: models are files. */
export async function isBundle(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/**
 * @throws BedsideError E_USAGE for options that only bundles have
 */
export function assertNoMix(path: string, { levels, correction, ratio }: MixOptions): void {
  const given = levels
    ? '--levels'
    : ratio !== undefined
      ? '--ratio'
      : correction
        ? undefined
        : '--no-correction';
  if (given === undefined) return;
  throw new BedsideError('E_USAGE', `${given} needs a bundle, and ${path} is a model`, {
    hint: 'name a folder that `bedside pack` wrote; a model is made smaller by `bedside prune --ratio`',
  });
}

/**
 * The network at the levels that options ask for: those of --levels, or all at the one nearest to --ratio, or unpruned.
 * @throws BedsideError E_USAGE for both at once; E_LEVELS for levels that the bundle does not have
 */
export function mixOf(bundle: Bundle, options: MixOptions): Mix {
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

function levelsOf({ manifest }: Bundle, { levels, ratio }: MixOptions): readonly number[] {
  if (levels && ratio !== undefined) {
    throw new BedsideError('E_USAGE', 'give either --levels or --ratio, not both', {
      hint: '--ratio takes the same level for every group, --levels one for each',
    });
  }
  return levels ?? levelsOfRatio(manifest, ratio ?? 0);
}

/** What JSON says of a mix. */
export function mixFacts({ levels, variant, corrected }: Mix): object {
  return { levels, variant: variant?.index ?? null, corrected };
}

/** The same for people. */
export function sayMix({ levels, variant, corrected }: Mix): string {
  const [first] = levels;
  const same = levels.every((level) => level === first);
  const which = same ? `every group at level ${first ?? 0}` : `levels ${levels.join(',')}`;
  if (!variant) return `${which}, not measured before`;
  return `${which}, variant ${variant.index}${corrected ? ', corrected' : ''}`;
}
