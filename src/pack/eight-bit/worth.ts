// Whether eight bits are worth having: the unpruned network in float32 and in eight bits, timed in turn on this machine.
import { eightBitStages, saturates } from '../../quantize/internal.ts';
import { atOnce } from '../../util/internal.ts';
import { isTimeable, medianSeconds } from '../timing/timing.ts';
import type { ChainParts } from './stage-chain.ts';

/** Eight bits must be at least so many times as fast: more than turns of a busy machine differ by. */
export const LEAST_SPEEDUP = 1.25;
/** The most that eight bits may lose of the bundle's measure. */
export const MOST_LOST = 0.005;
/** Turns of each form; their medians count. */
const ROUNDS = 21;

/** What eight bits gain and lose on the unpruned network. */
export interface EightBitWorth {
  /** Seconds in float32 over seconds in eight bits: medians, one thread, one sample at a time. */
  readonly speedup: number;
  /** What the bundle's measure loses on validation samples; below 0 where it gains. Absent where it was not measured. */
  readonly lost?: number | undefined;
}

/**
 * How many times as fast the network is in eight bits, as a device runs it: all stages in one graph, integers within each
 * of them. Undefined where its input cannot be made up.
 */
export async function speedupOf(
  { model, stages, forms, ranges }: ChainParts,
  name: string,
): Promise<number | undefined> {
  const joints = stages.slice(0, -1).map(({ output }) => output);
  const layers = new Set(forms.flatMap((form) => form.layers));
  const int8 = atOnce(eightBitStages({ model, joints }, layers, ranges, await saturates()));
  if (![model, int8].every(isTimeable)) return undefined;
  const [float32 = 0, eight = 0] = await medianSeconds([model, int8], { name, threads: 1, rounds: ROUNDS });
  return float32 / Math.max(1e-9, eight);
}

/** Why a network stays in float32; undefined where eight bits are worth having. */
export function notWorth({ speedup, lost = 0 }: EightBitWorth): string | undefined {
  if (speedup < LEAST_SPEEDUP) {
    return `unpruned, eight bits are ${speedup.toFixed(2)} times as fast here, less than ${LEAST_SPEEDUP} times`;
  }
  if (lost > MOST_LOST) {
    return `unpruned, eight bits lose ${points(lost)} points here, more than ${points(MOST_LOST)}`;
  }
  return undefined;
}

/** Why a network has eight-bit forms too. */
export function worth({ speedup, lost = 0 }: EightBitWorth): string {
  const loses = lost > 0 ? `lose ${points(lost)} points` : 'lose nothing';
  return `unpruned, eight bits are ${speedup.toFixed(2)} times as fast here and ${loses}`;
}

/** A share in points of a hundred. */
function points(share: number): string {
  return (100 * share).toFixed(1);
}
