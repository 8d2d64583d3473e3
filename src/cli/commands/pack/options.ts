// The options of `pack` as parsed, and those that go together.
import type { Command } from 'commander';
import { isBundle } from '../../../app/bundle/bundle-levels.ts';
import { evenRatios, type PackOptions } from '../../../app/bundle/pack.ts';
import { BedsideError } from '../../../util/index.ts';
import type { CommonOptions } from '../../options/common.ts';
import { assertNoneTyped } from '../../options/explicit.ts';

/** What commander gives. */
export interface PackCommandOptions extends CommonOptions, Omit<PackOptions, 'out' | 'seed'> {
  readonly data: string;
  readonly out?: string;
  readonly levelsCount?: number;
  readonly certify?: readonly number[];
}

/** @throws BedsideError E_USAGE for a folder instead of a model, or without --out */
export async function outOf(path: string, { out }: PackCommandOptions): Promise<string> {
  if (await isBundle(path)) {
    throw new BedsideError('E_USAGE', `${path} is a folder, not a model`, {
      hint: `to measure one more level vector of a bundle: bedside pack ${path} --certify LEVELS --data …`,
    });
  }
  if (out !== undefined) return out;
  throw new BedsideError('E_USAGE', "required option '--out <folder>' not specified", {
    hint: 'name the folder that becomes the bundle, such as --out ecg',
  });
}

/** The levels that options ask for; undefined for the usual ones. */
export function levelRatios({
  ratios: given,
  levelsCount,
}: PackCommandOptions): readonly number[] | undefined {
  if (given && levelsCount !== undefined) {
    throw new BedsideError('E_USAGE', 'give either --ratios or --levels-count, not both', {
      hint: '--levels-count 5 is --ratios 0,.21875,.4375,.65625,.875',
    });
  }
  if (levelsCount === 1) {
    throw new BedsideError('E_USAGE', '--levels-count 1: a single level is the unpruned network', {
      hint: 'ask for 2 or more, or evaluate the model as it is',
    });
  }
  if (levelsCount !== undefined) {
    return evenRatios(levelsCount);
  }
  // The first level is always the unpruned network.
  return given && [...new Set([0, ...given])];
}

/** Options of packing that say nothing of one more variant. */
const OF_PACKING = [
  ...['--out', '--name', '--criterion', '--levels-count', '--ratios', '--variants', '--block'],
  ...['--no-measure', '--max-positions', '--chart', '--precisions'],
];

/** @throws BedsideError E_USAGE */
export function assertCertifyOptions(command: Command): void {
  assertNoneTyped(command, {
    options: OF_PACKING,
    because: (option) => `${option} has no meaning with --certify, which adds to a bundle as it is`,
    hint: 'give --data and what chooses samples; pack the model again to change the bundle itself',
  });
}

/** @throws BedsideError E_USAGE */
export async function assertIsBundle(path: string): Promise<void> {
  if (await isBundle(path)) return;
  throw new BedsideError('E_USAGE', `--certify needs a bundle, and ${path} is none`, {
    hint: 'name a folder that `bedside pack` wrote',
  });
}
