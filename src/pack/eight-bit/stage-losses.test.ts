// Halving finds what each stage loses, with few runs where little is lost.
import { describe, expect, it } from 'vitest';
import { Random } from '../../util/internal.ts';
import type { ChainMode } from './stage-chain.ts';
import { type StageLoss, stageLosses } from './stage-losses.ts';

/** Searches a network whose losses add up; also counts runs and settled stages. */
async function searched(losses: readonly StageLoss[], hasForm = losses.map(() => true)) {
  let [runs, settled] = [0, 0];
  const lostBy = ({ int8, rounded }: ChainMode): number =>
    losses.reduce(
      (sum, own, l) => sum + (int8(l) && hasForm[l] ? own.int8 : l > 0 && rounded(l) ? own.input : 0),
      0,
    );
  const found = await stageLosses({
    hasForm,
    together: lostBy({ int8: () => true, rounded: () => true }),
    lostBy: async (mode) => {
      runs++;
      return lostBy(mode);
    },
    settled: (stages) => {
      settled += stages;
    },
  });
  return { found, runs, settled };
}

const nothing = (): StageLoss => ({ int8: 0, input: 0 });

describe('what stages lose in eight bits', () => {
  it('is nothing without a further run where they lose nothing together', async () => {
    const losses = Array.from({ length: 13 }, nothing);
    expect(await searched(losses)).toEqual({ found: losses, runs: 0, settled: 13 });
  });

  it('is found for one stage among many with few runs', async () => {
    for (let stage = 1; stage < 16; stage++) {
      const losses = Array.from({ length: 16 }, nothing);
      losses[stage] = { int8: 0.02, input: 0.005 };
      const { found, runs, settled } = await searched(losses);
      expect(found).toEqual(losses);
      expect(settled).toBe(16);
      expect(runs).toBeLessThanOrEqual(9);
    }
  });

  it('is found for any stages whose losses add up', async () => {
    const random = new Random(5);
    for (let round = 0; round < 40; round++) {
      const losses = Array.from({ length: 1 + random.integer(12) }, (_, l): StageLoss => {
        const int8 = random.integer(2) * 0.01 * (1 + random.integer(4));
        return { int8, input: l === 0 ? 0 : int8 / 2 };
      });
      const { found } = await searched(losses);
      for (const [l, own] of losses.entries()) {
        expect(found[l]?.int8).toBeCloseTo(own.int8, 12);
        expect(found[l]?.input).toBeCloseTo(own.input, 12);
      }
    }
  });

  it('is that of the rounded input for a stage without such layers', async () => {
    const losses = [nothing(), { int8: 0, input: 0.01 }, nothing()];
    const { found, runs } = await searched(losses, [true, false, true]);
    expect(found).toEqual(losses);
    expect(runs).toBe(4);
  });
});
