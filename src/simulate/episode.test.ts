// Requests in the ward: priced as the planner prices them while nothing moves, each ended once, queued, late, lost,
// refused.
import { describe, expect, it } from 'vitest';
import { checkPlan, exactPlanner, greedyPlanner, localPlanner, type Planner } from '../plan/index.ts';
import { localPlan, planCosts, randomPlanner } from '../plan/internal.ts';
import type { DeviceSketch } from '../plan/test-support/fleets.ts';
import { chainManifest, residualManifest } from '../plan/test-support/manifests.ts';
import { must } from '../util/index.ts';
import type { RequestOutcome } from './decision-request.ts';
import { WardEpisode } from './episode.ts';
import type { WardSpec } from './layout.ts';
import type { WardParameters } from './parameters.ts';
import { freshStrategy, type PlanningStrategy, staleStrategy } from './planning-strategy.ts';
import { WARD_DEFAULTS } from './presets.ts';
import { ProblemFactory } from './problem-factory.ts';
import type { Arrival, Arrivals } from './requests.ts';
import { runScenario, type Scenario, wardScenario } from './simulate.ts';
import { summarise } from './summary.ts';
import { DEVICES, STILL, wardOf } from './test-support/wards.ts';
import { VectorEnvironment } from './vector-environment.ts';

const ratios = [0, 0.5];
const CHAIN = chainManifest(4, { ratios });
const RESIDUAL = residualManifest({ ratios, name: 'residual', secondsPerMac: 1e-9 });
const none = () => 0;

/** Everything at once, and often. */
const LIVELY: Partial<WardParameters> = {
  requests: { ...WARD_DEFAULTS.requests, perSecond: 20 },
  radio: { ...WARD_DEFAULTS.radio, outagesPerHour: 120 },
  load: WARD_DEFAULTS.load,
  memory: WARD_DEFAULTS.memory,
  battery: { ...WARD_DEFAULTS.battery, all: { capacity: 40, idle: 0.2, charge: 5 } },
  presence: { stays: 20, away: 10 },
};

/** Requests at given times, all for the first bundle and kind. */
function scripted(spec: WardSpec, times: readonly number[], deadline = 1, bundle = CHAIN): Scenario {
  const problems = new ProblemFactory([bundle], spec.fleet, [{ name: 'all', share: 1, deadline: 1 }]);
  return {
    problems,
    deadlineSpread: 0,
    begin: () => {
      const list: Arrival[] = times.map((time) => ({ time, bundle: 0, kind: 0, deadline }));
      const arrivals: Arrivals = {
        get next() {
          return list[0]?.time ?? Number.POSITIVE_INFINITY;
        },
        take: () => must(list.shift(), 'a request'),
      };
      return { environment: new VectorEnvironment([spec]).view(0), arrivals };
    },
  };
}

describe('a plan costs the same in the ward as in planning, while nothing moves', () => {
  const busy: readonly DeviceSketch[] = [
    { macsPerSecond: 2e7, wait: 0.001, speed: 0.5 },
    { macsPerSecond: 1e8, energy: 1, wait: 0.003, speed: 2 },
    { macsPerSecond: 3e8, trusted: false, speed: 3 },
    { macsPerSecond: 5e7 },
  ];
  const planners: readonly Planner[] = [exactPlanner, localPlanner, ...[1, 2, 3, 4].map(randomPlanner)];
  it.each(['independent', 'shared'] as const)('links %s', async (channel) => {
    let [plans, shared] = [0, 0];
    for (const bundle of [CHAIN, RESIDUAL]) {
      const spec = wardOf({}, 1, busy, channel);
      const scenario = scripted(spec, [0, 100.05, 200], 60, bundle);
      for (const planner of planners) {
        const strategy: PlanningStrategy = {
          name: planner.name,
          async decide({ instance }) {
            const { decisions } = await planner.plan(instance);
            if (decisions) expected.push(planCosts(instance, decisions));
            return { decisions };
          },
        };
        const expected: ReturnType<typeof planCosts>[] = [];
        const outcomes = await runScenario(scenario, strategy, { requests: 3 });
        expect(outcomes.map(({ end }) => end)).toEqual(['served', 'served', 'served']);
        outcomes.forEach((outcome, i) => {
          const costs = must(expected[i], 'costs');
          plans++;
          if (costs.energy.filter((joules) => joules > 0).length > 1) shared++;
          expect(outcome.latency).toBeCloseTo(costs.seconds, 9);
          expect(outcome.energy).toBeCloseTo(costs.joules, 12);
          expect(outcome.accuracy).toBe(costs.accuracy);
          expect(outcome.objective).toBeCloseTo(costs.objective, 9);
          expect(outcome.predicted.latency).toBeCloseTo(costs.seconds, 9);
        });
      }
    }
    // Plans over several devices were among them.
    expect(shared).toBeGreaterThan(plans / 3);
  });
});

describe('every request', () => {
  const scenario = wardScenario(wardOf(LIVELY, 7), [CHAIN, RESIDUAL]);
  const strategies = (): PlanningStrategy[] => [
    freshStrategy(greedyPlanner, () => 0.005),
    freshStrategy(randomPlanner(3), none),
    freshStrategy(localPlanner, none),
    staleStrategy(exactPlanner, none, 2, 'stale'),
    staleStrategy(exactPlanner, none, Number.POSITIVE_INFINITY, 'static'),
  ];
  const run = (strategy: PlanningStrategy, requests = 200) => runScenario(scenario, strategy, { requests });
  const known = new Map<number, ReturnType<typeof run>>();
  /** What becomes of 200 requests by a strategy, found out once. */
  const outcomesOf = (i: number): ReturnType<typeof run> => {
    const found = known.get(i) ?? run(must(strategies()[i], 'a strategy'));
    known.set(i, found);
    return found;
  };

  it.each(strategies().map(({ name }, i) => [name, i] as const))('ends once: %s', async (_name, i) => {
    const outcomes = await outcomesOf(i);
    expect(outcomes.map(({ request }) => request).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 200 }, (_, request) => request),
    );
    const { served, late, lost, refused, requests } = summarise(outcomes);
    expect(served + late + lost + refused).toBe(requests);
    for (const outcome of outcomes) {
      expect(outcome.refusal !== undefined).toBe(outcome.end === 'refused');
      expect(outcome.latency).toBeLessThanOrEqual(outcome.deadline * (1 + 1e-6));
      expect(outcome.accuracy > 0).toBe(outcome.end === 'served');
      expect(Number.isFinite(outcome.objective)).toBe(true);
      if (outcome.end === 'served') expect(outcome.violations).toEqual([]);
    }
  });

  it('meets all that can happen', async () => {
    const all = (await Promise.all(strategies().map((_, i) => outcomesOf(i)))).flat();
    const ends = new Set(all.map(({ end }) => end));
    for (const end of ['served', 'late', 'refused'] as const) expect(ends).toContain(end);
    const refusals = new Set(all.map(({ refusal }) => refusal));
    for (const refusal of ['no plan', 'broken plan'] as const) expect(refusals).toContain(refusal);
  });

  it('ends the same on every run, and differently with another seed', async () => {
    const [strategy, again] = [must(strategies()[0], 'a strategy'), must(strategies()[0], 'a strategy')];
    const outcomes = await run(strategy, 60);
    expect(await run(again, 60)).toEqual(outcomes);
    const other = wardScenario(wardOf(LIVELY, 8), [CHAIN, RESIDUAL]);
    expect(await runScenario(other, must(strategies()[0], 'a strategy'), { requests: 60 })).not.toEqual(
      outcomes,
    );
  });

  it('comes at the same time for the same thing, whoever plans', async () => {
    const ask = ({ request, arrived, bundle, kind, deadline }: RequestOutcome) =>
      `${request} ${arrived} ${bundle} ${kind} ${deadline}`;
    const [one, other] = await Promise.all(
      [0, 2].map(async (i) => (await run(must(strategies()[i], 'a strategy'), 60)).map(ask).sort()),
    );
    expect(one).toEqual(other);
  });
});

describe('what requests do to each other', () => {
  const local = freshStrategy(localPlanner, none);
  const alone = async (): Promise<number> =>
    must((await runScenario(scripted(wardOf(), [0]), local, { requests: 1 }))[0], 'an outcome').latency;

  it('queue on devices', async () => {
    const seconds = await alone();
    const outcomes = await runScenario(scripted(wardOf(), [1, 1, 1]), local, { requests: 3 });
    const latencies = outcomes.map(({ latency }) => latency).sort((a, b) => a - b);
    // Stages of three requests in turn on one device: the last ends when all work is done.
    expect(latencies[2]).toBeCloseTo(3 * seconds, 9);
    expect(latencies[0]).toBeGreaterThan(2 * seconds);
  });

  it('are told to planners as waits', async () => {
    const waits: number[] = [];
    const watcher: PlanningStrategy = {
      name: 'watcher',
      async decide({ instance }) {
        waits.push(must(instance.devices[0], 'a device').wait);
        return { decisions: localPlan(instance) };
      },
    };
    await runScenario(scripted(wardOf(), [1, 1.001, 90]), watcher, { requests: 3 });
    expect(waits[0]).toBe(0);
    expect(waits[1]).toBeGreaterThan(0);
    expect(waits[2]).toBe(0);
  });

  it('hold memory until they end', async () => {
    const needed = await memoryOfLocal();
    // Enough for one, not for two.
    const devices = [{ macsPerSecond: 2e7, memory: 1.5 * needed }];
    const outcomes = await runScenario(scripted(wardOf({}, 1, devices), [1, 1.0001, 50]), local, {
      requests: 3,
    });
    expect(outcomes.map(({ request, end, refusal }) => [request, end, refusal]).sort()).toEqual([
      [0, 'served', undefined],
      [1, 'refused', 'no plan'],
      [2, 'served', undefined],
    ]);
    // Planned at the same moment, the second is refused where it would begin.
    const both = await runScenario(
      scripted(wardOf({}, 1, devices), [1, 1]),
      freshStrategy(localPlanner, () => 1e-9),
      {
        requests: 2,
      },
    );
    expect(both.map(({ end }) => end).sort()).toEqual(['refused', 'served']);
  });

  async function memoryOfLocal(): Promise<number> {
    let bytes = 0;
    const watcher: PlanningStrategy = {
      name: 'watcher',
      async decide({ instance }) {
        const [device] = checkPlan(instance, localPlan(instance)).devices;
        bytes = (device?.weightBytes ?? 0) + (device?.activationBytes ?? 0);
        return {};
      },
    };
    await runScenario(scripted(wardOf(), [0]), watcher, { requests: 1 });
    return bytes;
  }

  it('wait for the planner, whose time counts', async () => {
    const slow = freshStrategy(localPlanner, () => 0.1);
    const seconds = await alone();
    const outcomes = await runScenario(scripted(wardOf(), [1, 1, 1]), slow, { requests: 3 });
    const sorted = outcomes.toSorted((a, b) => a.request - b.request);
    sorted.forEach(({ queued, deciding }, i) => {
      expect(queued).toBeCloseTo(0.1 * i, 9);
      expect(deciding).toBe(0.1);
    });
    expect(sorted[0]?.latency).toBeCloseTo(0.1 + seconds, 9);
    // With less time than planning takes nothing begins, and once that is known nothing is planned.
    const hasty = await runScenario(scripted(wardOf(), [1, 2, 3, 4, 5, 6, 7, 8], 0.08), slow, {
      requests: 8,
    });
    expect(new Set(hasty.map(({ end }) => end))).toEqual(new Set(['refused']));
    expect(hasty.some(({ refusal, deciding }) => refusal === 'no time' && deciding === 0)).toBe(true);
  });
});

describe('what the environment does to requests', () => {
  /** Everything on the second device. */
  const afar: PlanningStrategy = {
    name: 'afar',
    async decide({ instance }) {
      const decisions = instance.stages.map(({ sets }, l) => ({
        set: l === 0 ? 0 : sets.findIndex((set) => set.join() === '1'),
        inner: 0,
        level: 0,
      }));
      return { decisions };
    },
  };
  const radio = (change: Partial<WardParameters['radio']>) => ({ radio: { ...STILL.radio, ...change } });

  it('an outage holds transfers up until it is over, or the deadline has come', async () => {
    const spec = wardOf(radio({ outagesPerHour: 3600, outageSeconds: 1 }), 4);
    const times = Array.from({ length: 60 }, (_, i) => 5 * i);
    // While it is decided a link may fail that was there.
    const slow: PlanningStrategy = {
      name: 'slow',
      decide: async (question) => ({ ...(await afar.decide(question)), seconds: 0.3 }),
    };
    const outcomes = await runScenario(scripted(spec, times, 1.5), slow, { requests: 60 });
    const usual = must(outcomes.map(({ latency }) => latency).sort((a, b) => a - b)[0], 'a latency');
    const held = outcomes.filter(({ end, latency }) => end === 'served' && latency > usual + 0.1);
    expect(held.length).toBeGreaterThan(3);
    const late = outcomes.filter(({ end }) => end === 'late');
    expect(late.length).toBeGreaterThan(0);
    for (const { latency } of late) expect(latency).toBe(1.5);
  });

  it('a transfer over several blocks goes at the rate of each', async () => {
    // Of 1e4 bytes a second, the first cut's bytes take many blocks; a still environment takes as long as planned.
    const slow = (parameters: Partial<WardParameters>) => {
      const spec = wardOf(parameters);
      const bandwidth = spec.fleet.bandwidth.map((row) => row.map((rate) => (rate === 1e6 ? 1e4 : rate)));
      return { ...spec, fleet: { ...spec.fleet, bandwidth } };
    };
    const run = async (parameters: Partial<WardParameters>): Promise<RequestOutcome> =>
      must(
        (await runScenario(scripted(slow(parameters), [0.03], 60), afar, { requests: 1 }))[0],
        'an outcome',
      );
    const still = await run({});
    expect(still.latency).toBeGreaterThan(5 * STILL.block);
    expect(still.latency).toBeCloseTo(still.predicted.latency, 9);
    const fading = await run(radio({ snr: { mean: 20, deviation: 8, seconds: 0.1 } }));
    expect(Math.abs(fading.latency / fading.predicted.latency - 1)).toBeGreaterThan(1e-3);
  });

  it('a plan whose device leaves is lost, and one for a device that has left is refused', async () => {
    const spec = wardOf({ presence: { stays: 3, away: 5 } }, 2, [
      { macsPerSecond: 2e7 },
      { macsPerSecond: 1e5, energy: 1 },
    ]);
    const times = Array.from({ length: 40 }, (_, i) => 20 * i);
    const outcomes = await runScenario(scripted(spec, times, 60), afar2, { requests: 40 });
    const ends = new Set(outcomes.map(({ end, refusal }) => refusal ?? end));
    expect(ends).toContain('lost');
    expect(ends).toContain('device left');
  });

  /** As `afar` where the device is there, after thinking for so long that it may be gone. */
  const afar2: PlanningStrategy = {
    name: 'afar',
    async decide(question) {
      if (question.devices.length < 2) return {};
      return { ...(await afar.decide(question)), seconds: 1 };
    },
  };

  it('a busy device takes longer, by as much as others take', async () => {
    const run = (deviation: number) =>
      runScenario(
        scripted(wardOf({ load: { mean: 0.3, deviation, seconds: 1e9 } }, 5), [0]),
        freshStrategy(localPlanner, none),
        { requests: 1 },
      );
    const [still] = await run(0);
    const [moved] = await run(0.2);
    const spec = wardOf({ load: { mean: 0.3, deviation: 0.2, seconds: 1e9 } }, 5);
    const slowdown = must(new VectorEnvironment([spec]).view(0).slowdown[0], 'slowdown');
    expect(moved?.latency).toBeCloseTo(must(still, 'an outcome').latency * slowdown, 6);
  });

  it('batteries pay for what runs', async () => {
    const spec = wardOf({ battery: { ...STILL.battery, all: { capacity: 1000, idle: 0, charge: 0 } } });
    const environments = new VectorEnvironment([spec]);
    const scenario = scripted(spec, [0, 5]);
    const episode = new WardEpisode({
      ...scenario.begin(),
      environment: environments.view(0),
      problems: scenario.problems,
      requests: 2,
      onEnd: (outcome) => ended.push(outcome),
    });
    const ended: RequestOutcome[] = [];
    let onDevice = 0;
    for (let question = episode.next(); question; question = episode.next()) {
      const answer = await afar.decide(question);
      onDevice += planCosts(question.instance, must(answer.decisions, 'decisions')).energy[1] ?? 0;
      episode.answer(question, answer);
    }
    expect(ended.map(({ end }) => end)).toEqual(['served', 'served']);
    expect(onDevice).toBeGreaterThan(0);
    expect(1000 - must(environments.charge[1], 'charge')).toBeCloseTo(onDevice, 9);
  });
});

describe('plans that are used again', () => {
  it('are placed on the fleet of the moment, and refused where they no longer fit', async () => {
    const spec = wardOf({ presence: { stays: 30, away: 30 } }, 3);
    const times = Array.from({ length: 60 }, (_, i) => 5 * i);
    const plans: string[] = [];
    const fixed = staleStrategy(exactPlanner, none, Number.POSITIVE_INFINITY, 'static');
    const watcher: PlanningStrategy = {
      name: 'static',
      async decide(question) {
        const answer = await fixed.decide(question);
        const sets = answer.instance?.stages.map((stage, l) =>
          stage.sets[answer.decisions?.[l]?.set ?? -1]?.map((d) => question.devices[d]).join('+'),
        );
        if (sets) plans.push(sets.join(' '));
        return answer;
      },
    };
    const outcomes = await runScenario(scripted(spec, times), watcher, { requests: 60 });
    // One plan by the ward's own devices, whoever else is there.
    expect(new Set(plans).size).toBe(1);
    expect(DEVICES).toHaveLength(3);
    const { refusals, served } = summarise(outcomes);
    expect(served).toBeGreaterThan(5);
    expect(refusals['no plan']).toBeGreaterThan(5);
  });

  it('are made again after so many seconds', async () => {
    const asked: number[] = [];
    const counting: Planner = {
      name: 'counting',
      plan(instance) {
        asked.push(instance.deadline);
        return exactPlanner.plan(instance);
      },
    };
    const times = [0, 1, 9, 11, 12, 25];
    await runScenario(scripted(wardOf(), times), staleStrategy(counting, none, 10, 'stale'), { requests: 6 });
    expect(asked).toHaveLength(3);
  });
});
