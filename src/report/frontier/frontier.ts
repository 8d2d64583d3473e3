// The measured variants of a bundle as rows: cost and accuracy of each.
import type { BundleManifest } from '../../bundle/index.ts';
import { figureWord, levelsKey, measureTerm, type Variant } from '../../bundle/internal.ts';
import { frontierOf } from '../../pack/internal.ts';
import { formatMeasure, hasClasses, must } from '../../util/index.ts';

/** One variant, with its share of the unpruned network's work. */
export interface FrontierRow extends Omit<Variant, 'recall'> {
  /** Index into the bundle's variants. */
  readonly variant: number;
  /** Share of the unpruned network's multiply-accumulates. */
  readonly macsFraction: number;
}

/** The parts of a manifest that the frontier needs. */
export type MeasuredBundle = Pick<BundleManifest, 'variants' | 'accuracy' | 'task'>;

/** All variants, from the most work to the least. */
export function variantRows({ variants }: MeasuredBundle): FrontierRow[] {
  const whole = variants[0]?.macs ?? 1;
  return variants
    .map(({ recall: _, ...variant }, index) => ({
      variant: index,
      ...variant,
      macsFraction: variant.macs / whole,
    }))
    .sort((a, b) => b.macs - a.macs);
}

/** The frontier: variants that no other beats in both accuracy and multiply-accumulates. */
export function frontierRows(manifest: MeasuredBundle): FrontierRow[] {
  const best = new Set(frontierOf(manifest.variants).map(({ levels }) => levelsKey(levels)));
  return variantRows(manifest).filter(({ levels }) => best.has(levelsKey(levels)));
}

/** The name of a bundle's accuracy measure. */
export function measureWord({
  accuracy,
}: {
  readonly accuracy: Pick<BundleManifest['accuracy'], 'measure'>;
}): string {
  const term = measureTerm(accuracy);
  return accuracy.measure === 'agreement' ? `${term} with the unpruned network` : term;
}

/** The same as the title of a column, which keeps it short. */
export function measureTitle({
  accuracy,
}: {
  readonly accuracy: Pick<BundleManifest['accuracy'], 'measure'>;
}): string {
  return accuracy.measure === 'balanced' ? 'balanced' : figureWord(accuracy);
}

/** What agreement with the unpruned network is called, as the title of a column: of masks and values it is no share. */
export function agreementTitle({ task }: Pick<BundleManifest, 'task'>): string {
  const answers = task === undefined || hasClasses(task.kind) || task.kind === 'multi-label';
  return answers ? 'same answer' : 'as unpruned';
}

/** A value of a bundle's measure, as tables have it: shares in percent, other measures as numbers. */
export function formatFigure(
  { accuracy: { measure } }: { readonly accuracy: Pick<BundleManifest['accuracy'], 'measure'> },
  value: number,
): string {
  return formatMeasure(measure === 'balanced' ? 'balancedAccuracy' : measure, value);
}

/** The unpruned network and at most `most` rows of the frontier, evenly chosen and including both ends. */
export function shownRows(manifest: MeasuredBundle, most: number): FrontierRow[] {
  const rows = frontierRows(manifest);
  const step = (rows.length - 1) / (most - 1);
  const thinned =
    rows.length <= most
      ? rows
      : Array.from({ length: most }, (_, i) => must(rows[Math.round(i * step)], 'a row'));
  const whole = variantRows(manifest).find(({ variant }) => variant === 0);
  return whole && !thinned.some(({ variant }) => variant === 0) ? [whole, ...thinned] : [...thinned];
}

/** `all 3` if all levels are equal, otherwise the levels separated by commas, as `--levels` takes them. */
export function levelsText(levels: readonly number[]): string {
  const [first] = levels;
  return levels.length > 1 && levels.every((level) => level === first) ? `all ${first}` : levels.join(',');
}
