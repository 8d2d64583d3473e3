// How long stages take in eight bits: measured beside their float32 forms, at some levels.
import { assembleModel, type BundleManifest } from '../../bundle/index.ts';
import type { EightBitForm } from '../../bundle/internal.ts';
import { saturates } from '../../quantize/internal.ts';
import { must } from '../../util/index.ts';
import type { ValueRange } from '../../util/internal.ts';
import { isTimeable, medianSeconds } from '../timing/timing.ts';
import type { MeasurableBundle } from '../variant-evaluator.ts';
import { stageGraph } from './stage-chain.ts';

/** Levels that are timed, evenly; those between have interpolated gains. */
const LEVELS = 3;

/**
 * The forms with seconds at each level: those of the stage, times what eight bits take of float32 in the same turns.
 * Stages without seconds get none.
 */
export async function timeForms(
  bundle: MeasurableBundle & { readonly manifest: Pick<BundleManifest, 'stages'> },
  forms: readonly EightBitForm[],
  ranges: ReadonlyMap<string, ValueRange>,
  options: { readonly name: string },
): Promise<EightBitForm[]> {
  const { ratios, groups, stages } = bundle.manifest;
  const last = ratios.length - 1;
  const levels = [
    ...new Set(Array.from({ length: LEVELS }, (_, i) => Math.round((i * last) / (LEVELS - 1)))),
  ];
  const reduced = await saturates();
  const models = levels.map((level) =>
    assembleModel(
      bundle,
      groups.map(() => level),
    ),
  );
  const timed: EightBitForm[] = [];
  for (const [l, form] of forms.entries()) {
    const stage = must(stages[l], 'a stage');
    if (!stage.seconds || form.layers.length === 0) {
      timed.push(form);
      continue;
    }
    const graphs = models.flatMap((model) =>
      [false, true].map((int8) => stageGraph({ model, stages, forms, ranges }, stage, int8, reduced)),
    );
    if (!graphs.every(isTimeable)) {
      timed.push(form);
      continue;
    }
    // As a device runs them, and as float32 was timed.
    const found = await medianSeconds(graphs, { name: options.name, threads: 1 });
    const gains = levels.map((_, i) => (found[2 * i + 1] ?? 0) / Math.max(1e-12, found[2 * i] ?? 0));
    timed.push({
      ...form,
      seconds: stage.seconds.map((seconds, level) => seconds * between(levels, gains, level)),
    });
  }
  return timed;
}

function between(at: readonly number[], values: readonly number[], wanted: number): number {
  const high = Math.max(
    1,
    at.findIndex((one) => one >= wanted),
  );
  const [from, to] = [at[high - 1] ?? 0, at[high] ?? at[high - 1] ?? 0];
  const [low, up] = [values[high - 1] ?? 1, values[high] ?? values[high - 1] ?? 1];
  return to > from ? low + ((up - low) * (wanted - from)) / (to - from) : low;
}
