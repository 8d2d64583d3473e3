// Traces: a replay is the environment that was recorded; what is wrong is told with its line.
import { describe, expect, it } from 'vitest';
import { greedyPlanner, localPlanner } from '../plan/index.ts';
import { chainManifest } from '../plan/test-support/manifests.ts';
import { BedsideError, must } from '../util/index.ts';
import { type EnvironmentView, fleetNow } from './environment-view.ts';
import { freshStrategy } from './planning-strategy.ts';
import { WARD_DEFAULTS } from './presets.ts';
import { recorded } from './record.ts';
import { replayScenario } from './replay.ts';
import { runScenario, wardScenario } from './simulate.ts';
import { wardOf } from './test-support/wards.ts';
import { fleetFile, parseTrace } from './trace.ts';

const CHAIN = chainManifest(4, { ratios: [0, 0.5] });
const SPEC = wardOf(
  {
    requests: { ...WARD_DEFAULTS.requests, perSecond: 5 },
    radio: { ...WARD_DEFAULTS.radio, outagesPerHour: 300 },
    load: WARD_DEFAULTS.load,
    memory: WARD_DEFAULTS.memory,
    battery: { ...WARD_DEFAULTS.battery, all: { capacity: 5, idle: 0.02, charge: 2 }, start: [0.25, 0.25] },
    presence: { stays: 10, away: 3 },
  },
  3,
);
const SCENARIO = wardScenario(SPEC, [CHAIN]);
const { requests } = SPEC.parameters;
const greedy = () => freshStrategy(greedyPlanner, () => 0.003);

async function record(count = 80) {
  const lines: string[] = [];
  const outcomes = await runScenario(
    recorded(SCENARIO, (line) => lines.push(line)),
    greedy(),
    { requests: count },
  );
  return { lines, outcomes, text: lines.join('\n') };
}

describe('a replay', () => {
  it('is the environment that was recorded', async () => {
    const { text, outcomes } = await record();
    const trace = parseTrace(text);
    const scenario = replayScenario(trace, [CHAIN], { requests, seed: 9 });
    const again = await runScenario(scenario, greedy(), { requests: trace.requests.length });
    expect(again).toHaveLength(outcomes.length);
    again.forEach((outcome, i) => {
      const wanted = must(outcomes[i], 'an outcome');
      expect({ ...outcome, ...numbersOf(wanted) }).toEqual(wanted);
      for (const [key, value] of Object.entries(numbersOf(outcome))) {
        expect(value).toBeCloseTo(numbersOf(wanted)[key as 'latency'], 9);
      }
    });
    // There was something to record.
    expect(new Set(trace.fleets.map(({ fleet }) => fleet.devices.length)).size).toBeGreaterThan(1);
    expect(new Set(outcomes.map(({ latency }) => latency)).size).toBeGreaterThan(20);
  });

  it('shows the same fleets at the same times, bit by bit', async () => {
    const { text } = await record(20);
    const trace = parseTrace(text);
    const lived = recorded(SCENARIO, () => {}).begin().environment;
    const { environment } = replayScenario(trace, [CHAIN], { requests, seed: 9 }).begin();
    // Batteries apart: those were spent from.
    const seen = (view: EnvironmentView) => {
      const idle = new Float64Array(3);
      const { fleet } = fleetNow(view, { held: idle, busyUntil: idle }, view.since);
      const devices = fleet.devices.map(({ energy: _, ...device }) => device);
      return { since: view.since, devices, bandwidth: fleet.bandwidth, latency: fleet.latency };
    };
    for (let step = 0; step < 15; step++) {
      expect(seen(environment)).toEqual(seen(lived));
      expect(environment.until).toBe(lived.until);
      environment.step();
      lived.step();
    }
  });

  it('draws requests where none were recorded, and takes as many as asked for', async () => {
    const { lines } = await record(10);
    const fleets = lines.filter((line) => !line.includes('"request":{"bundle"')).join('\n');
    const scenario = replayScenario(parseTrace(fleets), [CHAIN], { requests, seed: 9 });
    const outcomes = await runScenario(
      scenario,
      freshStrategy(localPlanner, () => 0),
      { requests: 30 },
    );
    expect(outcomes).toHaveLength(30);
  });

  it('goes by what is recorded of speed', async () => {
    const usual = SPEC.fleet;
    const file = (change: object) => ({
      ...(fleetFile(usual) as object),
      devices: usual.devices.map(({ energy, ...device }) => ({
        ...device,
        ...(Number.isFinite(energy) ? { energy } : {}),
        ...change,
      })),
    });
    const text = [
      '{"format":"bedside-trace","version":1}',
      JSON.stringify({ time: 0, fleet: file({ speed: 2 }) }),
      JSON.stringify({ time: 1, fleet: file({ speed: 0.5 }) }),
      JSON.stringify({ time: 2, fleet: file({ seconds: { chain: [[1, 1]] } }) }),
      JSON.stringify({ time: 3, fleet: file({ speed: 2, macsPerSecond: 1 + 1e3 }) }),
    ].join('\n');
    const { environment } = replayScenario(parseTrace(text), [CHAIN], { requests, seed: 1 }).begin();
    const slowdown: number[] = [];
    for (let step = 0; step < 4; step++) {
      slowdown.push(must(environment.slowdown[1], 'slowdown'));
      if (step < 3) environment.step();
    }
    // A quarter as fast is 4 times as long; where it says nothing of speed, MACs count: those are the same.
    expect(slowdown).toEqual([1, 4, 1, 1]);
  });

  function numbersOf({ latency, energy, accuracy, objective, queued, deciding }: Record<Numbers, number>) {
    return { latency, energy, accuracy, objective, queued, deciding };
  }
  type Numbers = 'latency' | 'energy' | 'accuracy' | 'objective' | 'queued' | 'deciding';
});

describe('time', () => {
  it('begins with the first fleet, whatever clock it was told by', () => {
    const fleet = (time: number): string => JSON.stringify({ time, fleet: fleetFile(SPEC.fleet) });
    const request = '{"time":1700000003.5,"request":{"bundle":"sketch"}}';
    const text = [
      '{"format":"bedside-trace","version":1}',
      fleet(1_700_000_000),
      fleet(1_700_000_002),
      request,
    ].join('\n');
    const trace = parseTrace(text);
    expect(trace.fleets.map(({ time }) => time)).toEqual([0, 2]);
    expect(trace.requests.map(({ time }) => time)).toEqual([3.5]);
  });
});

describe('a bad trace', () => {
  const header = '{"format":"bedside-trace","version":1}';
  const fleet = (time: number, change: object = {}): string =>
    JSON.stringify({ time, fleet: { ...(fleetFile(SPEC.fleet) as object), ...change } });
  const request = (time: number, more: object = {}): string =>
    JSON.stringify({ time, request: { bundle: 'sketch', ...more } });
  const withoutDevices = { devices: [] };

  it.each([
    ['nothing', '', 'has nothing in it'],
    ['no fleet', header, 'has no fleet in it'],
    ['no header', fleet(0), 'line 1: format is missing'],
    ['another version', '{"format":"bedside-trace","version":2}', 'line 1: version is 2, not 1'],
    ['not JSON', `${header}\n${fleet(0)}\n{"time":`, 'line 3: not JSON'],
    ['a list', `${header}\n[1]`, 'line 2: not a JSON object'],
    ['an unknown field', `${header}\n{"time":0,"fleets":1}`, "line 2: unknown field 'fleets'"],
    ['neither fleet nor request', `${header}\n{"time":0}`, 'line 2: expected either a fleet or a request'],
    [
      'time that runs back',
      `${header}\n${fleet(0)}\n${fleet(2)}\n\n${fleet(1)}`,
      'line 5: time is 1, before',
    ],
    ['no time', `${header}\n${fleet(0)}\n{"request":{"bundle":"sketch"}}`, 'line 3: time is not a number'],
    ['a request before any fleet', `${header}\n${request(0)}`, 'line 2: a request before the first fleet'],
    ['a wrong fleet', `${header}\n${fleet(0, withoutDevices)}`, 'line 2'],
    [
      'another source',
      `${header}\n${fleet(0)}\n${fleet(1, { source: 'd1' })}`,
      "line 3: source is 'd1', but it was 'd0'",
    ],
    [
      'a request without a bundle',
      `${header}\n${fleet(0)}\n{"time":1,"request":{}}`,
      'line 3: request.bundle',
    ],
    [
      'an endless deadline',
      `${header}\n${fleet(0)}\n${request(1, { deadline: 0 })}`,
      'line 3: request.deadline',
    ],
    [
      'a request with more',
      `${header}\n${fleet(0)}\n${request(1, { who: 1 })}`,
      "line 3: request has an unknown field 'who'",
    ],
  ])('%s', (_, text, says) => {
    const error = failure(() => parseTrace(text, 'trace t.jsonl'));
    expect(error).toMatchObject({ code: 'E_TRACE', hint: expect.any(String) });
    expect(error.message).toContain('trace t.jsonl');
    expect(error.message).toContain(says);
  });

  it('names bundles and kinds that are not there', () => {
    const base = `${header}\n${fleet(0)}`;
    const options = { requests, seed: 1 };
    for (const [line, says] of [
      [request(1, { bundle: 'other' }), "bundle 'other'"],
      [request(1, { kind: 'slow' }), "kind 'slow'"],
    ] as const) {
      const error = failure(() => replayScenario(parseTrace(`${base}\n${line}`), [CHAIN], options));
      expect(error.code).toBe('E_TRACE');
      expect(error.message).toContain(says);
    }
  });

  function failure(run: () => unknown): BedsideError {
    try {
      run();
    } catch (error) {
      if (BedsideError.is(error)) return error;
      throw error;
    }
    throw new Error('nothing was refused');
  }
});
