// What an answer says of itself, as scalars.
import type { PostedSamples } from '../../app/index.ts';
import type { BundleManifest } from '../../bundle/index.ts';
import { findVariant } from '../../bundle/internal.ts';
import type { FallbackResult, RunPlan } from '../../run/index.ts';
import { devicesOf } from '../../run/internal.ts';
import { must, plainLine } from '../../util/index.ts';
import type { Scalar } from '../protocol/infer-request.ts';
import { EXPLAINED_BY } from './explainer.ts';

/** Characters of names of files in an answer. */
const MOST_NAMES = 65_536;

/** What is the same for every answer of a plan. */
export interface PlanFacts {
  /** Undefined for levels that are no measured variant. */
  readonly variant: number | undefined;
  readonly scalars: Readonly<Record<string, Scalar>>;
}

/** By plan: one serves many requests, and never changes. */
const KNOWN = new WeakMap<RunPlan, PlanFacts>();

/** The facts of a plan of this bundle. */
export function planFacts(plan: RunPlan, manifest: BundleManifest): PlanFacts {
  const known = KNOWN.get(plan);
  if (known) return known;
  const variant = findVariant(manifest, plan.levels);
  const found = {
    variant,
    scalars: {
      levels: plan.levels.join(','),
      ...(variant === undefined ? {} : { variant }),
      devices: devicesOf(plan).join(','),
      ...precisionOf(plan),
    },
  };
  KNOWN.set(plan, found);
  return found;
}

/** What was guessed or passed over to read a file, and which sample is from which of several. */
export function fileFacts({ samples, remarks, skipped }: PostedSamples): Record<string, Scalar> {
  const origins = samples.origins ?? [];
  const names = origins.join(',');
  const left = skipped.map(({ reason, count }) => `${count} ${reason}`);
  return {
    ...(new Set(origins).size > 1 && names.length <= MOST_NAMES ? { origins: plainLine(names) } : {}),
    ...(remarks.length > 0 ? { remarks: plainLine(remarks.join('; ')) } : {}),
    ...(left.length > 0 ? { skipped: plainLine(left.join('; ')) } : {}),
  };
}

/** Facts of an answer as scalars. Of several samples, those of the first plan and of the least sure one. */
export function factsOf(
  results: readonly FallbackResult[],
  more: {
    readonly waited: number;
    readonly computed: number;
    readonly explained: boolean;
    readonly frozen: string | undefined;
  },
  manifest: BundleManifest,
): Record<string, Scalar> {
  const first = must(results[0], 'a result');
  const confidence = leastSure(results);
  const taken = results.filter(({ fallback }) => fallback === 'taken').length;
  return {
    ...planFacts(first.plan, manifest).scalars,
    ...(confidence === undefined ? {} : { confidence }),
    fallback: results.length === 1 ? first.fallback : String(taken),
    replanned: results.reduce((sum, { replanned }) => sum + replanned, 0),
    plans: results.length === 1 ? 1 : new Set(results.map(({ plan }) => plan.levels.join())).size,
    queue_ms: round(1000 * more.waited),
    compute_ms: round(1000 * more.computed),
    ...(more.frozen === undefined ? {} : { frozen: more.frozen }),
    ...(more.explained ? { explained_by: EXPLAINED_BY } : {}),
  };
}

/** The confidence of the least sure sample; undefined where answers have none. */
export function leastSure(results: readonly Pick<FallbackResult, 'margin'>[]): number | undefined {
  let least: number | undefined;
  for (const { margin } of results) {
    if (!Number.isNaN(margin)) least = Math.min(margin, least ?? margin);
  }
  return least;
}

/** What the stages computed in; nothing for a plan in float32 alone. */
function precisionOf({ stages }: RunPlan): { precision?: string } {
  const int8 = stages.filter(({ precision }) => precision === 'int8').length;
  if (int8 === 0) return {};
  return { precision: int8 === stages.length ? 'int8' : `int8 in ${int8} of ${stages.length} stages` };
}

function round(milliseconds: number): number {
  return Math.round(1000 * milliseconds) / 1000;
}
