// Precision as a second axis of levels. A cut's state becomes a pair (level, wire): what crosses it travels as float32
// or as eight bits. A stage's inner choice becomes a pair (inner choice, precision). Both are flattened with float32
// first, so that planners see nothing but more levels and more choices; docs/formulation.md proves that this is exact.
import { must } from '../../util/index.ts';
import { type ChoiceSizes, choiceIndex, innerOf, levelInOf, levelOutOf } from './choice.ts';
import type { DeviceInstance, StageInstance } from './instance.ts';
import type { LevelChoice } from './level-space.ts';

/** What a stage computes in. */
export const PRECISIONS = ['float32', 'int8'] as const;
export type Precision = (typeof PRECISIONS)[number];

/** What a tensor between stages travels as. */
export const WIRES = ['float32', 'uint8'] as const;
export type Wire = (typeof WIRES)[number];

/** The eight-bit form of a stage, by choice of its float32 form. */
export interface EightBitStage {
  /** Multiply-accumulates, counted in float32 ones that take as long; bytes. */
  readonly macs: Float64Array;
  readonly weightBytes: Float64Array;
  readonly activationBytes: Float64Array;
  /**
   * Log loss in nats beside that of the float32 form: rounding of its input, weights and activations. Infinity where
   * the form is not offered.
   */
  readonly loss: Float64Array;
}

/** What eight bits add to a stage. */
export interface StagePrecisions {
  /** Absent where the stage has no eight-bit form. */
  readonly int8?: EightBitStage | undefined;
  /** Log loss, by float32 choice, where the input alone is rounded to eight bits; absent where that is not offered. */
  readonly wireLoss?: Float64Array | undefined;
  /** Whether the next stage offers `wireLoss` or has an eight-bit form: then the output may travel as eight bits. */
  readonly outputBytes?: Float64Array | undefined;
}

/** Whether any of these stages computes in eight bits, or receives its input so. */
export function roundsAnything(
  stages: readonly { readonly precision?: Precision | undefined; readonly wire?: string | undefined }[],
): boolean {
  return stages.some(({ precision, wire }) => precision === 'int8' || wire === 'uint8');
}

/** What choices are told apart by. */
type PrecisionSizes = Pick<StageInstance, 'levelsIn' | 'inner' | 'levelsOut' | 'wires' | 'precisions'>;

/** How many wires a cut has, and how many precisions a stage. */
export function wiresIn({ wires }: Pick<StageInstance, 'wires'>): number {
  return wires?.in ?? 1;
}
export function wiresOut({ wires }: Pick<StageInstance, 'wires'>): number {
  return wires?.out ?? 1;
}
export function precisionsOf({ precisions }: Pick<StageInstance, 'precisions'>): number {
  return precisions ?? 1;
}

/** Levels of channels of the cut behind a stage, and of the one before it: what its states are without their wire. */
export function channelLevelsOut(stage: Pick<StageInstance, 'levelsOut' | 'wires'>): number {
  return stage.levelsOut / wiresOut(stage);
}
export function channelLevelsIn(stage: Pick<StageInstance, 'levelsIn' | 'wires'>): number {
  return stage.levelsIn / wiresIn(stage);
}

/** The wire of a state of the cut behind a stage. */
export function wireOf(stage: Pick<StageInstance, 'levelsOut' | 'wires'>, level: number): Wire {
  return must(WIRES[Math.floor(level / channelLevelsOut(stage))], 'a wire');
}

/** The precision of an inner choice. */
export function precisionOf(stage: Pick<StageInstance, 'inner' | 'precisions'>, inner: number): Precision {
  return must(PRECISIONS[Math.floor(inner / (stage.inner / precisionsOf(stage)))], 'a precision');
}

/** A stage's choice without precision and wires: a position in the arrays of its float32 form. */
export function float32Choice(stage: PrecisionSizes, index: number): number {
  const sizes = float32Sizes(stage);
  return choiceIndex(
    sizes,
    levelInOf(stage, index) % channelLevelsIn(stage),
    innerOf(stage, index) % sizes.inner,
    levelOutOf(stage, index) % sizes.levelsOut,
  );
}

/** Sizes by which the float32 form of a stage is flattened. */
export function float32Sizes(stage: PrecisionSizes): ChoiceSizes {
  return { inner: stage.inner / precisionsOf(stage), levelsOut: channelLevelsOut(stage) };
}

/** A choice as the bundle knows it: levels and inner choices of channels alone. */
export function withoutPrecision(stage: PrecisionSizes, choice: LevelChoice): LevelChoice {
  return {
    in: choice.in % channelLevelsIn(stage),
    inner: choice.inner % float32Sizes(stage).inner,
    out: choice.out % channelLevelsOut(stage),
  };
}

/** Stages of float32 choices with what eight bits add. Stages without anything stay as they are. */
export function withPrecisions<S extends Omit<StageInstance, 'maxSeen' | 'sets'>>(
  stages: readonly S[],
  added: readonly StagePrecisions[],
): S[] {
  const travels = stages.map((_, l) => {
    const [own, next] = [added[l], added[l + 1]];
    return own?.outputBytes !== undefined && (next?.int8 !== undefined || next?.wireLoss !== undefined);
  });
  return stages.map((stage, l) =>
    expanded(stage, added[l] ?? {}, { in: travels[l - 1] ? 2 : 1, out: travels[l] ? 2 : 1 }),
  );
}

type Sizes = { readonly in: 1 | 2; readonly out: 1 | 2 };

function expanded<S extends Omit<StageInstance, 'maxSeen' | 'sets'>>(
  stage: S,
  { int8, wireLoss, outputBytes }: StagePrecisions,
  wires: Sizes,
): S {
  const precisions = int8 ? 2 : 1;
  if (precisions === 1 && wires.in === 1 && wires.out === 1) return stage;
  const sizes = {
    levelsIn: stage.levelsIn * wires.in,
    inner: stage.inner * precisions,
    levelsOut: stage.levelsOut * wires.out,
  };
  const length = sizes.levelsIn * sizes.inner * sizes.levelsOut;
  const array = () => new Float64Array(length);
  const table = { macs: array(), weightBytes: array(), activationBytes: array(), loss: array() };
  const allowed = new Uint8Array(length);
  // Each of several partial sums would be rounded on its own.
  const alone = int8 && stage.split === 'partial-sums' ? new Uint8Array(length) : undefined;
  const whole: PrecisionSizes = { ...sizes, wires, precisions };
  for (let index = 0; index < length; index++) {
    const choice = float32Choice(whole, index);
    const rounded = wires.in === 2 && levelInOf(whole, index) >= stage.levelsIn;
    const eight = precisionOf(whole, innerOf(whole, index)) === 'int8';
    // An eight-bit stage rounds its input anyway, so receiving float32 would only cost more.
    const offered = eight ? wires.in === 1 || rounded : !rounded || wireLoss !== undefined;
    const more = (eight ? int8?.loss[choice] : rounded ? wireLoss?.[choice] : 0) ?? Number.POSITIVE_INFINITY;
    if (!offered || stage.allowed[choice] !== 1 || !Number.isFinite(more)) continue;
    allowed[index] = 1;
    if (alone && eight) alone[index] = 1;
    const from = eight ? must(int8, 'an eight-bit form') : stage;
    for (const field of ['macs', 'weightBytes', 'activationBytes'] as const) {
      table[field][index] = must(from[field][choice], field);
    }
    table.loss[index] = must(stage.loss[choice], 'loss') + more;
  }
  const bytes =
    wires.out === 1
      ? stage.outputBytes
      : Float64Array.of(...stage.outputBytes, ...must(outputBytes, 'bytes as eight bits'));
  return { ...stage, ...sizes, wires, precisions, allowed, alone, ...table, outputBytes: bytes };
}

/**
 * A device's seconds by choice, from those of its float32 forms and of its eight-bit forms.
 * @param stages as `withPrecisions` gave them
 * @param int8 seconds of the eight-bit forms; undefined where the device's `speed` and `macs` tell them
 */
export function secondsWithPrecisions(
  stages: readonly (PrecisionSizes & Pick<StageInstance, 'allowed' | 'macs'>)[],
  device: DeviceInstance,
  int8: readonly (Float64Array | undefined)[],
): DeviceInstance {
  const seconds = stages.map((stage, l) => {
    const float32 = device.seconds?.[l];
    const eight = int8[l];
    if (!float32 && !eight) return undefined;
    return Float64Array.from({ length: stage.allowed.length }, (_, index) => {
      const choice = float32Choice(stage, index);
      const own = precisionOf(stage, innerOf(stage, index)) === 'int8' ? eight?.[choice] : float32?.[choice];
      return own ?? must(stage.macs[index], 'macs') / device.speed;
    });
  });
  return { ...device, seconds };
}
