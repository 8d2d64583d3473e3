import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beamPlanner, buildProblem, checkPlan, exactPlanner } from '../../plan/index.ts';
import {
  bindingConstraint,
  PinnedPlanner,
  type PlanningInstance,
  planCosts,
  randomFleet,
  randomInstance,
  randomPrecisions,
  refusal,
} from '../../plan/internal.ts';
import { chainManifest, residualManifest } from '../../plan/test-support/manifests.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { smallMixture } from '../test-support/plans.ts';
import { drawInstance, TRAINING_RANGES } from '../train/draws.ts';
import { QUICK } from './decode.ts';
import { exportPolicy } from './export.ts';
import { initialWeights, POLICY_SHAPE } from './network.ts';
import { PolicyPlanner } from './planner.ts';

const SHIPPED = new URL('../../../models/policy.onnx', import.meta.url);

// Untrained: what it says is noise, so everything else has to hold on its own.
let planner: PolicyPlanner;
beforeAll(async () => {
  planner = await PolicyPlanner.open(
    exportPolicy(POLICY_SHAPE, initialWeights(POLICY_SHAPE, new Random(1))),
    'untrained',
  );
});
afterAll(() => planner.close());

const roomy = (seed: number): PlanningInstance =>
  randomInstance({ stages: 8, devices: 5, levels: 4, seed, tightness: 0.3, privacy: 'shares' });

describe('the learned planner', () => {
  it('gives plans that keep every limit, even untrained, or none', async () => {
    let planned = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const instance = randomInstance(smallMixture(seed));
      const { status, decisions, objective, bound } = await planner.plan(instance);
      expect(status).toBe(decisions ? 'gap' : 'unknown');
      if (!decisions) continue;
      const check = checkPlan(instance, decisions);
      expect(check.violations).toEqual([]);
      expect(objective).toBeCloseTo(planCosts(instance, decisions).objective, 9);
      expect(bound).toBeLessThanOrEqual(objective);
      planned++;
    }
    expect(planned).toBeGreaterThan(20);
  });

  it('keeps every limit where stages have eight-bit forms, and is near the exact plan as it is shipped', async () => {
    const shipped = await PolicyPlanner.open(await readFile(SHIPPED), 'the shipped policy');
    let [sum, planned] = [0, 0];
    for (let seed = 1; seed <= 12; seed++) {
      const drawn = drawInstance(seed, { ...TRAINING_RANGES, stages: [5, 8], devices: [2, 4] });
      const instance = randomPrecisions(drawn, seed);
      const exact = await exactPlanner.plan(instance);
      const { decisions, objective } = await shipped.plan(instance);
      expect(decisions === undefined).toBe(exact.decisions === undefined);
      if (!decisions) continue;
      expect(checkPlan(instance, decisions).violations).toEqual([]);
      sum += objective / exact.objective - 1;
      planned++;
    }
    await shipped.close();
    expect(planned).toBeGreaterThan(6);
    expect(sum / planned).toBeLessThan(0.03);
  });

  it('is refused when its network gives NaN, or a request reads as no number', async () => {
    const weights = initialWeights(POLICY_SHAPE, new Random(1));
    const change = (value: number) => {
      for (const { data } of weights.values()) data.fill(value);
      return PolicyPlanner.open(exportPolicy(POLICY_SHAPE, weights), 'broken');
    };
    await expect(change(Number.NaN)).rejects.toMatchObject({ code: 'E_MODEL' });
    const broken = await change(3e38);
    try {
      await expect(broken.plan(roomy(1))).rejects.toMatchObject({ code: 'E_NOT_FINITE' });
    } finally {
      await broken.close();
    }
    const instance = roomy(1);
    const odd = { ...instance, weights: { ...instance.weights, time: Number.NaN } };
    await expect(planner.plan(odd)).rejects.toMatchObject({ code: 'E_NOT_FINITE' });
  });

  it('finds a plan wherever the guided beam does, on requests with one or two binding limits', async () => {
    let found = 0;
    for (let seed = 1; seed <= 25; seed++) {
      const instance = drawInstance(seed, {
        stages: [4, 8],
        devices: [2, 5],
        levels: [2, 5],
        tightness: [0.3, 0.5],
      });
      const beam = await beamPlanner.plan(instance, { labels: 50_000 });
      if (!beam.decisions) continue;
      const { objective } = await planner.plan(instance);
      expect(objective).toBeLessThan(Number.POSITIVE_INFINITY);
      expect(objective).toBeGreaterThanOrEqual(beam.bound - 1e-9);
      found++;
    }
    expect(found).toBeGreaterThan(15);
  });

  it('places the first stage too, where the input may travel', async () => {
    const shipped = await PolicyPlanner.open(await readFile(SHIPPED), 'the shipped policy');
    let [sum, planned, away] = [0, 0, 0];
    for (let seed = 1; seed <= 16; seed++) {
      const manifest = seed % 2 === 0 ? chainManifest(6) : residualManifest();
      const { fleet, request } = randomFleet(manifest, { devices: 2 + (seed % 4), seed });
      const { instance } = buildProblem(manifest, fleet, { ...request, rawInput: 'trusted' });
      const exact = await exactPlanner.plan(instance);
      if (!exact.decisions) continue;
      const { decisions, objective } = await shipped.plan(instance);
      const found = must(decisions, 'a plan');
      expect(checkPlan(instance, found).violations).toEqual([]);
      if (instance.stages[1]?.sets[found[1]?.set ?? -1]?.[0] !== fleet.source) away++;
      sum += objective / exact.objective - 1;
      planned++;
    }
    await shipped.close();
    expect(planned).toBeGreaterThan(10);
    expect(away).toBeGreaterThan(5);
    expect(sum / planned).toBeLessThan(0.03);
  });

  it('looks further where a plan may be far from the best of its candidates, and is never worse for it', async () => {
    const bytes = await readFile(SHIPPED);
    const plain = await PolicyPlanner.open(bytes, 'without', { ...QUICK, more: 0 });
    const shipped = await PolicyPlanner.open(bytes, 'with');
    let better = 0;
    for (let seed = 1; seed <= 80; seed++) {
      const instance = drawInstance(seed, {
        ...TRAINING_RANGES,
        stages: [12, 20],
        devices: [6, 12],
        precisions: 1,
      });
      const [before, after] = [await plain.plan(instance), await shipped.plan(instance)];
      if (!before.decisions) continue;
      expect(after.objective).toBeLessThanOrEqual(before.objective);
      if (after.objective < before.objective) better++;
    }
    await plain.close();
    await shipped.close();
    expect(better).toBeGreaterThan(1);
  });

  it('says the same of the same request, whatever it planned before', async () => {
    const [first, other] = [roomy(1), drawInstance(77)];
    const before = await planner.plan(first);
    await planner.plan(other);
    expect((await planner.plan(first)).decisions).toEqual(before.decisions);
  });

  it('answers requests that come together one after another', async () => {
    const instances = [1, 2, 3, 4].map(roomy);
    const alone = [];
    for (const instance of instances) alone.push((await planner.plan(instance)).decisions);
    const together = await Promise.all(instances.map((instance) => planner.plan(instance)));
    expect(together.map(({ decisions }) => decisions)).toEqual(alone);
  });

  it('refuses a model that is no policy', async () => {
    const weights = initialWeights(POLICY_SHAPE, new Random(1));
    const model = exportPolicy(POLICY_SHAPE, weights);
    const [input] = model.graph.inputs;
    model.graph.inputs[0] = { ...must(input, 'an input'), dims: [1, 1, 1, 3] };
    await expect(PolicyPlanner.open(model, 'other.onnx')).rejects.toMatchObject({
      code: 'E_MODEL',
      message: expect.stringContaining('other.onnx'),
    });
  });
});

describe('a refusal', () => {
  it.each([
    ['deadline', (instance: PlanningInstance) => ({ ...instance, deadline: 1e-6 })],
    [
      'memory',
      (instance: PlanningInstance) => ({
        ...instance,
        devices: instance.devices.map((device) => ({ ...device, memory: 10 })),
      }),
    ],
    [
      'energy',
      (instance: PlanningInstance) => ({
        ...instance,
        devices: instance.devices.map((device) => ({ ...device, energy: 1e-9 })),
      }),
    ],
    ['accuracy', (instance: PlanningInstance) => ({ ...instance, accuracyFloor: 0.99 })],
  ])('names the binding constraint: %s', async (constraint, spoil) => {
    const instance = spoil(roomy(2));
    expect((await planner.plan(instance)).status).toBe('unknown');
    expect(await bindingConstraint(planner, instance)).toBe(constraint);
    const error = await refusal(planner, instance, 'ecg');
    expect(error).toMatchObject({ code: 'E_REQUEST', hint: expect.stringContaining('bedside plan') });
    expect(error.message).toMatch(constraint);
  });
});

describe('a frozen planner', () => {
  it('gives its first plan again, wherever that keeps every limit', async () => {
    const instance = roomy(3);
    const frozen = new PinnedPlanner(planner, 'plan');
    const first = must((await frozen.plan(instance)).decisions, 'a plan');
    const faster = { ...instance, bandwidth: instance.bandwidth.map((row) => row.map((speed) => speed * 3)) };
    expect((await frozen.plan(faster)).decisions).toEqual(first);
    expect((await frozen.plan(faster)).objective).toBeCloseTo(planCosts(faster, first).objective, 9);
    expect(await frozen.plan({ ...instance, deadline: 1e-6 })).toMatchObject({ status: 'unknown' });
    expect(await frozen.plan(drawInstance(5))).toMatchObject({ status: 'unknown' });
  });

  it('finds its devices by name, where they are in another order', async () => {
    const instance = roomy(3);
    const frozen = new PinnedPlanner(planner, 'plan');
    const first = must((await frozen.plan(instance)).decisions, 'a plan');
    const turned = {
      ...instance,
      stages: instance.stages.map((stage) => ({ ...stage, sets: [...stage.sets].reverse() })),
    };
    const again = must((await frozen.plan(turned)).decisions, 'a plan');
    const devices = (own: PlanningInstance, plan: typeof first) =>
      plan.map(({ set }, l) => own.stages[l]?.sets[set]);
    expect(devices(turned, again)).toEqual(devices(instance, first));
  });

  it('may keep its levels alone', async () => {
    const instance = roomy(4);
    const frozen = new PinnedPlanner(planner, 'levels');
    const first = must((await frozen.plan(instance)).decisions, 'a plan');
    const without = {
      ...instance,
      devices: instance.devices.map((device, d) => (d === 2 ? { ...device, memory: 0 } : device)),
    };
    const { decisions } = await frozen.plan(without);
    if (decisions) expect(decisions.map(({ level }) => level)).toEqual(first.map(({ level }) => level));
    const loose = { ...instance, deadline: instance.deadline * 3 };
    const other = must((await frozen.plan(loose)).decisions, 'a plan');
    expect(other.map(({ level }) => level)).toEqual(first.map(({ level }) => level));
  });
});
