// Many wards together are the same wards as each alone.
import { describe, expect, it } from 'vitest';
import { greedyPlanner } from '../plan/index.ts';
import { chainManifest, residualManifest } from '../plan/test-support/manifests.ts';
import { wardBatch } from './batch.ts';
import type { RequestOutcome } from './decision-request.ts';
import { freshStrategy } from './planning-strategy.ts';
import { WARD_DEFAULTS } from './presets.ts';
import { runScenario, wardScenario } from './simulate.ts';
import { wardOf } from './test-support/wards.ts';

const ratios = [0, 0.5];
const bundles = [chainManifest(4, { ratios }), residualManifest({ ratios, name: 'residual' })];
const moving = {
  requests: { ...WARD_DEFAULTS.requests, perSecond: 10 },
  radio: WARD_DEFAULTS.radio,
  load: WARD_DEFAULTS.load,
  presence: { stays: 20, away: 5 },
};
const wards = [
  { ...wardOf(moving, 1), bundles },
  { ...wardOf({ ...moving, block: 0.25 }, 2, [{}, { macsPerSecond: 1e9 }]), bundles: bundles.slice(0, 1) },
  { ...wardOf(moving, 3), bundles },
];
const ROUNDS = 25;

describe('a batch of wards', () => {
  it('asks one question of each ward, the same until it is answered', () => {
    const batch = wardBatch(wards);
    const first = batch.next();
    expect(first.map(({ ward }) => ward)).toEqual([0, 1, 2]);
    expect(batch.next()).toEqual(first);
    const [, second] = first;
    if (second) batch.answer(second, {});
    const next = batch.next();
    expect([next[0] === first[0], next[1] === first[1], next[2] === first[2]]).toEqual([true, false, true]);
    expect(next[1]?.request).toBe(1);
    expect(batch.outcomes()).toMatchObject([{ ward: 1, request: 0, end: 'refused', refusal: 'no plan' }]);
    expect(batch.outcomes()).toEqual([]);
    if (second) expect(() => batch.answer(second, {})).toThrow('no such question');
  });

  it('has the outcomes that each ward has alone', async () => {
    const batch = wardBatch(wards);
    const ended: RequestOutcome[] = [];
    const strategy = freshStrategy(greedyPlanner, () => 0);
    for (let round = 0; round < ROUNDS; round++) {
      for (const question of batch.next()) batch.answer(question, await strategy.decide(question));
      ended.push(...batch.outcomes());
    }
    for (const [w, ward] of wards.entries()) {
      const alone = await runScenario(wardScenario(ward, ward.bundles), strategy, { requests: ROUNDS });
      const own = ended.filter((outcome) => outcome.ward === w).map((outcome) => ({ ...outcome, ward: 0 }));
      expect(own.length).toBeGreaterThan(ROUNDS - 5);
      for (const outcome of own) {
        expect(alone.find(({ request }) => request === outcome.request)).toEqual(outcome);
      }
    }
  });
});

it('a ward whose input may travel takes as long as its plans say while nothing moves, and less than one that keeps it', async () => {
  const strategy = freshStrategy(greedyPlanner, () => 0);
  const taken = async (rawInput: 'source' | 'trusted') => {
    const { fleet, ...ward } = wardOf();
    const request = { ...fleet.request, rawInput };
    const scenario = wardScenario({ ...ward, fleet: { ...fleet, request } }, [chainManifest(5, { ratios })]);
    const outcomes = await runScenario(scenario, strategy, { requests: 10 });
    expect(outcomes.map(({ end }) => end)).toEqual(Array.from({ length: 10 }, () => 'served'));
    for (const { latency, predicted } of outcomes) expect(latency).toBeCloseTo(predicted.latency, 9);
    return outcomes.reduce((sum, { latency }) => sum + latency, 0);
  };
  expect(await taken('trusted')).toBeLessThan(await taken('source'));
});
