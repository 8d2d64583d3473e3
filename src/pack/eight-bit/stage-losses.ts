// What each stage of a network loses in eight bits, found by halves: what a range of stages loses together says whether
// its stages are worth a look.
import type { ChainMode } from './stage-chain.ts';

/** Log losses of a stage: computing in eight bits, and with its input rounded alone. */
export interface StageLoss {
  readonly int8: number;
  readonly input: number;
}

/** How losses are measured. */
export interface LossProbe {
  /** Whether each stage has layers that compute in eight bits. */
  readonly hasForm: readonly boolean[];
  /** What is lost with all stages in eight bits. */
  readonly together: number;
  /** What is lost in a mode. */
  readonly lostBy: (mode: ChainMode) => Promise<number>;
  /** Called with the number of further stages that are known. */
  readonly settled: (stages: number) => void;
}

/**
 * The losses of all stages. Stages that lose nothing together are taken to lose nothing each: where eight bits are
 * harmless, that saves nearly all runs.
 */
export async function stageLosses(probe: LossProbe): Promise<StageLoss[]> {
  return await lossesIn(probe, 0, probe.hasForm.length, probe.together);
}

async function lossesIn(probe: LossProbe, from: number, to: number, lost: number): Promise<StageLoss[]> {
  if (lost > 0 && to - from > 1) {
    const middle = (from + to) >> 1;
    const half = async (first: number, end: number): Promise<StageLoss[]> => {
      const isIn = (l: number): boolean => l >= first && l < end;
      return await lossesIn(probe, first, end, await probe.lostBy({ int8: isIn, rounded: isIn }));
    };
    return [...(await half(from, middle)), ...(await half(middle, to))];
  }
  const found =
    lost > 0
      ? [await lossOfStage(probe, from, lost)]
      : Array.from({ length: to - from }, () => ({ int8: 0, input: 0 }));
  probe.settled(to - from);
  return found;
}

/** A stage that loses something in eight bits: how much of it by its input alone. */
async function lossOfStage({ hasForm, lostBy }: LossProbe, stage: number, lost: number): Promise<StageLoss> {
  if (!hasForm[stage]) return { int8: 0, input: lost };
  if (stage === 0) return { int8: lost, input: 0 };
  return { int8: lost, input: await lostBy({ int8: () => false, rounded: (l) => l === stage }) };
}
