// Precision as a second axis of levels: the same optimum by all plans, by the exact search and by HiGHS, and costs as a
// slow twin counts them.
import { describe, expect, it } from 'vitest';
import { type BundleManifest, stageCosts } from '../../bundle/index.ts';
import { eightBitBytes, eightBitCosts } from '../../bundle/internal.ts';
import { must } from '../../util/index.ts';
import { rounds } from '../../util/test-support/rounds.ts';
import { solve } from '../exact/solve.ts';
import { solveGreedy, solvePruneOnly } from '../heuristics/solutions.ts';
import { completeRequest, type RequestInput } from '../input/request.ts';
import { highsPlanner } from '../milp/highs.ts';
import { randomInstance } from '../random/random-instance.ts';
import { checkPlan } from '../result/check-plan.ts';
import { viewPlan } from '../result/plan-view.ts';
import { bruteForce } from '../test-support/brute-force.ts';
import { type DeviceSketch, fleetOfDevices } from '../test-support/fleets.ts';
import { manifestOf } from '../test-support/manifests.ts';
import { mixture, smallInstance } from '../test-support/small-instances.ts';
import { buildProblem } from './build-instance.ts';
import type { PlanningInstance, StageDecision } from './instance.ts';
import { precisionOf, wireOf } from './precision.ts';

const GAP = 2e-6;
const seeds = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);
const precisions = ({ stages }: PlanningInstance, plan: readonly StageDecision[]) =>
  plan.map(({ inner }, l) => precisionOf(must(stages[l], 'a stage'), inner));

describe('instances with eight-bit forms', () => {
  it('have the same optimum by all plans, the exact search and HiGHS', async () => {
    const seen = { optimal: 0, infeasible: 0, int8: 0, both: 0, wires: 0 };
    for (const seed of seeds(20)) {
      const sizes = { stages: 3, devices: 2 + (seed % 2), levels: 1 + (seed % 2) };
      const instance = smallInstance(seed, { ...sizes, precisions: true });
      const all = bruteForce(instance);
      const exact = solve(instance, 'exact');
      const highs = await highsPlanner.plan(instance);
      expect([seed, exact.status, highs.status]).toEqual([seed, all.status, all.status]);
      seen[all.status === 'optimal' ? 'optimal' : 'infeasible']++;
      if (!exact.decisions) continue;
      expect(Math.abs(exact.objective / all.objective - 1)).toBeLessThan(GAP);
      expect(Math.abs(highs.objective / all.objective - 1)).toBeLessThan(GAP);
      const check = checkPlan(instance, exact.decisions);
      expect([seed, check.violations]).toEqual([seed, []]);
      expect(check.objective).toBeCloseTo(exact.objective, 9);
      const chosen = precisions(instance, exact.decisions);
      if (chosen.includes('int8')) seen.int8++;
      if (new Set(chosen).size === 2) seen.both++;
      const wired = exact.decisions.some(
        ({ level }, l) =>
          chosen[l + 1] === 'float32' && wireOf(must(instance.stages[l], 'a stage'), level) === 'uint8',
      );
      if (wired) seen.wires++;
    }
    expect(seen.optimal).toBeGreaterThan(10);
    expect(seen.infeasible).toBeGreaterThan(0);
    expect(Math.min(seen.int8, seen.both)).toBeGreaterThan(3);
    expect(seen.wires).toBeGreaterThan(0);
  });

  it('are solved variant by variant where one level holds throughout, each in its best precisions', () => {
    for (const seed of seeds(8)) {
      const sizes = { stages: 3, devices: 2 + (seed % 2), levels: 2, inner: 1 };
      const instance = randomInstance({
        ...mixture(seed, sizes),
        trunks: 'all',
        loss: 0.3,
        precisions: true,
      });
      const all = bruteForce(instance);
      const exact = solve(instance, 'exact');
      expect([seed, exact.status]).toEqual([seed, all.status]);
      if (!exact.decisions) continue;
      expect(Math.abs(exact.objective / all.objective - 1)).toBeLessThan(GAP);
      const warm = solve(instance, 'exact', { warm: { decisions: exact.decisions } });
      expect(warm.objective).toBeCloseTo(exact.objective, 9);
    }
  });

  it('are never worse than in float32 alone, and better now and then', () => {
    let better = 0;
    for (const seed of seeds(rounds(5, 8))) {
      const options = { stages: 8, devices: 4, levels: 4, pairs: 4, quads: 1, seed };
      const float32 = solve(randomInstance(options), 'exact');
      const both = solve(randomInstance({ ...options, precisions: true }), 'exact');
      expect(both.objective).toBeLessThanOrEqual(float32.objective * (1 + GAP));
      if (both.objective < float32.objective * 0.98) better++;
      const greedy = solveGreedy(randomInstance({ ...options, precisions: true }));
      expect(greedy.objective).toBeGreaterThanOrEqual(both.objective * (1 - GAP));
    }
    expect(better).toBeGreaterThan(rounds(2, 3));
  });
});

const plain = manifestOf(
  [
    { layers: [{ gives: 0, size: 400 }] },
    { layers: [{ reads: 0, gives: 1, inputs: 8, outputs: 16, size: 200 }], split: 'outputs' },
    { layers: [{ reads: 1, inputs: 16, outputs: 5 }] },
  ],
  [8, 16],
  { secondsPerMac: 1e-9 },
);

/** The last stage stays in float32. */
const bundle: BundleManifest = {
  ...plain,
  measured: { machine: 'a', provider: 'cpu', threads: 1, batch: 1, date: '2026-01-01T00:00:00.000Z' },
  eightBit: plain.stages.map(({ layers, input }, l) => ({
    layers: l === 2 ? [] : [...layers],
    values: [input],
    loss: l === 2 ? 0 : 0.002,
    inputLoss: 0.001,
    seconds: plain.ratios.map((_, level) => (stageCosts(plain, l, [level, level]).seconds ?? 0) / 4),
  })),
};

const problem = (manifest: BundleManifest, input: RequestInput = {}, device: DeviceSketch = {}) =>
  buildProblem(manifest, fleetOfDevices([device, {}]), completeRequest(input));

describe('a bundle with eight-bit forms', () => {
  it('is planned in float32 on request, as if it had none', () => {
    const { instance } = problem(bundle, { precision: 'float32' });
    expect(instance).toEqual(problem({ ...bundle, eightBit: undefined }).instance);
  });

  it('has a quarter of the weights, and of the bytes between devices, where the plan says so', () => {
    const { instance } = problem(bundle);
    const [, middle] = instance.stages;
    const levels = plain.groups.map(() => 0);
    const costs = eightBitCosts(bundle, 1, levels);
    const biases = plain.layers[1]?.biasBytes ?? 0;
    expect(costs.weightBytes).toBeCloseTo((plain.layers[1]?.weightBytes ?? 0) / 4 + 2 * biases);
    // Float32 first, then eight bits.
    const half = (middle?.outputBytes.length ?? 0) / 2;
    expect(middle?.outputBytes[half]).toBeCloseTo(eightBitBytes(middle?.outputBytes[0] ?? 0));
    expect(middle?.precisions).toBe(2);
    expect(instance.stages[2]?.precisions).toBe(1);
  });

  it('computes in eight bits where that is faster, and not where a device is slower in it', async () => {
    const chosen = async (device: DeviceSketch, manifest = bundle) => {
      const built = problem(
        manifest,
        { weights: { time: 1, energy: 0, accuracy: 0.01, per: 'local' } },
        device,
      );
      const { decisions } = await solvePruneOnly(built.instance, async (smaller) => solve(smaller, 'exact'));
      return viewPlan(built, must(decisions, 'a plan'));
    };
    const fast = await chosen({ speed: 1 });
    expect(fast.stages.map(({ precision }) => precision)).toEqual(['int8', 'int8', 'float32']);
    expect(fast.violations).toEqual([]);
    const slow = await chosen({ speed: 1, int8Speed: 0.5 });
    expect(slow.stages.map(({ precision }) => precision)).toEqual(['float32', 'float32', 'float32']);
    expect(slow.latency).toBeGreaterThan(fast.latency);
    // Nothing crosses a link on one device.
    expect(fast.stages.map(({ bytes }) => bytes)).toEqual([0, 0, 0]);
    const rows = bundle.stages.map(() => bundle.ratios.map(() => 1e-9));
    const measured = await chosen({ speed: 1, int8Speed: 0.5, secondsInt8: { [bundle.name]: rows } });
    expect(measured.stages[0]?.precision).toBe('int8');
  });

  it('charges of a measured variant at least what it lost with everything in eight bits', () => {
    const variants = plain.variants.map((variant) => ({
      ...variant,
      eightBit: { accuracy: variant.accuracy * 0.97, lowerBound: 0.5, agreement: 0.9 },
    }));
    const { instance } = problem({ ...bundle, variants }, { levels: 'certified', accuracyFloor: 0.1 });
    const charged = instance.stages.map((stage) => {
      const at = stage.allowed.findIndex((ok, index) => {
        const inner = Math.floor(index / stage.levelsOut) % stage.inner;
        return ok === 1 && precisionOf(stage, inner) === 'int8';
      });
      return at < 0 ? 0 : (stage.loss[at] ?? 0);
    });
    const first = instance.stages[0]?.loss[0] ?? 0;
    const total = charged.reduce((sum, loss) => sum + loss, 0) - first;
    expect(total).toBeGreaterThanOrEqual(-Math.log(0.97) - 1e-12);
    const without = problem(bundle, { levels: 'certified', accuracyFloor: 0.1 }).instance;
    const offered = without.stages.some((stage) =>
      stage.allowed.some(
        (ok, index) =>
          ok === 1 && precisionOf(stage, Math.floor(index / stage.levelsOut) % stage.inner) === 'int8',
      ),
    );
    expect(offered).toBe(false);
  });
});
