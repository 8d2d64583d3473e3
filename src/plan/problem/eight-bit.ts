// What the eight-bit forms of a bundle add to a planning problem: their costs, and the accuracy they lose.
import type { BundleManifest } from '../../bundle/index.ts';
import { eightBitBytes, eightBitCosts, type StageCosts } from '../../bundle/internal.ts';
import { must } from '../../util/index.ts';
import type { LevelChoice, LevelSpace } from './level-space.ts';
import type { StagePrecisions } from './precision.ts';

/** One stage's eight-bit form, by float32 choice. */
export interface EightBitTable {
  /** What `withPrecisions` takes. */
  readonly added: StagePrecisions;
  /** Costs of the form; undefined where the choice is forbidden, or the stage has no such form. */
  readonly costs: readonly (StageCosts | undefined)[];
}

/** The float32 form of a stage: its choices, with their costs where they are allowed. */
export interface Float32Stage {
  readonly choices: readonly LevelChoice[];
  readonly costs: readonly (StageCosts | undefined)[];
  /** Multiply-accumulates with every group at each level. */
  readonly uniform: readonly number[];
  readonly outputBytes: Float64Array;
}

/** The eight-bit forms of all stages; undefined for a bundle without any. */
export function eightBitTables(
  manifest: BundleManifest,
  space: LevelSpace,
  stages: readonly Float32Stage[],
): EightBitTable[] | undefined {
  const { eightBit } = manifest;
  if (!eightBit) return undefined;
  return stages.map((stage, l) => {
    const form = must(eightBit[l], `eight-bit form of stage ${l}`);
    const has = form.layers.length > 0;
    const vector = manifest.groups.map(() => 0);
    const costs = stage.costs.map((cost, index) => {
      if (!cost || !has) return undefined;
      vector.fill(0);
      for (const [group, level] of space.levels(l, must(stage.choices[index], 'a choice')) ?? []) {
        vector[group] = level;
      }
      return eightBitCosts(manifest, l, vector, stage.uniform);
    });
    const lost = (alone: number): Float64Array =>
      Float64Array.from(stage.choices, (choice, index) =>
        stage.costs[index] ? charged(manifest, space.variant?.(l, choice), alone) : 0,
      );
    const { inputLoss } = form;
    return {
      costs,
      added: {
        int8: has ? { ...formArrays(stage.costs, costs), loss: lost(form.loss) } : undefined,
        wireLoss: inputLoss === undefined ? undefined : lost(inputLoss),
        outputBytes: stage.outputBytes.map(eightBitBytes),
      },
    };
  });
}

function formArrays(
  float32: readonly (StageCosts | undefined)[],
  costs: readonly (StageCosts | undefined)[],
) {
  const of = (value: (cost: StageCosts, index: number) => number) =>
    Float64Array.from(costs, (cost, index) => (cost ? value(cost, index) : 0));
  return {
    macs: of(({ macs, seconds }, index) => {
      const whole = float32[index]?.seconds;
      // Without times nothing is known of the gain.
      return seconds !== undefined && whole ? (macs * seconds) / whole : macs;
    }),
    weightBytes: of(({ weightBytes }) => weightBytes),
    activationBytes: of(({ activationBytes }) => activationBytes),
  };
}

/**
 * Log loss that is charged where a loss of `alone` was measured for one stage. Of a measured variant the charges of all
 * stages together are at least what it lost with everything in eight bits; a variant that was not measured so is not
 * offered.
 */
function charged(manifest: BundleManifest, variant: number | undefined, alone: number): number {
  if (variant === undefined) return alone;
  const { accuracy, eightBit } = must(manifest.variants[variant], `variant ${variant}`);
  if (!eightBit) return Number.POSITIVE_INFINITY;
  const forms = (manifest.eightBit ?? []).filter(({ layers }) => layers.length > 0);
  const sum = forms.reduce((total, { loss }) => total + loss, 0);
  const measured = eightBit.accuracy > 0 ? Math.log(accuracy / eightBit.accuracy) : Number.POSITIVE_INFINITY;
  const missing = Math.max(0, measured - sum) / Math.max(1, forms.length);
  return alone + missing;
}
