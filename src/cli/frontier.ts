// The measured variants of a bundle: what each costs and how accurate it is, as rows and as a table.
import type { BundleManifest, Variant } from '../bundle/index.ts';
import { formatBytes, formatPercent, formatSeconds } from '../util/index.ts';
import { table } from './tables.ts';

/** One variant, beside the unpruned network. */
export interface FrontierRow extends Omit<Variant, 'recall'> {
  /** Index into the bundle's variants. */
  readonly variant: number;
  /** Share of the unpruned network's multiply-accumulates. */
  readonly macsFraction: number;
}

type Measured = Pick<BundleManifest, 'variants' | 'accuracy'>;

/** From the most work to the least. */
export function frontierRows({ variants }: Measured): FrontierRow[] {
  const whole = variants[0]?.macs ?? 1;
  return variants
    .map(({ recall: _, ...variant }, index) => ({
      variant: index,
      ...variant,
      macsFraction: variant.macs / whole,
    }))
    .sort((a, b) => b.macs - a.macs);
}

/** What the accuracy of a bundle is, in words. */
export function measureWord({ accuracy }: Pick<BundleManifest, 'accuracy'>): string {
  if (accuracy.measure === 'balanced') return 'balanced accuracy';
  return accuracy.measure === 'agreement' ? 'agreement with the unpruned network' : 'accuracy';
}

/** One row a variant. */
export function frontierTable(manifest: Measured): string {
  const rows = frontierRows(manifest);
  const timed = rows.some(({ seconds }) => seconds !== undefined);
  const word = manifest.accuracy.measure === 'balanced' ? '>balanced' : '>accuracy';
  return table(
    [
      '>variant',
      '>MACs',
      '>weights',
      ...(timed ? ['>time'] : []),
      word,
      '>at least',
      '>same answer',
      'levels',
    ],
    rows.map((row) => [
      String(row.variant),
      formatPercent(row.macsFraction),
      formatBytes(row.weightBytes),
      ...(timed ? [row.seconds === undefined ? '' : formatSeconds(row.seconds)] : []),
      formatPercent(row.accuracy),
      formatPercent(row.lowerBound),
      formatPercent(row.agreement),
      levelsText(row.levels),
    ]),
  );
}

/** `all 3`, or the levels with commas as --levels takes them. */
export function levelsText(levels: readonly number[]): string {
  const [first] = levels;
  return levels.length > 1 && levels.every((level) => level === first) ? `all ${first}` : levels.join(',');
}
