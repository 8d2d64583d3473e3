// Every term of docs/formulation.md on an instance small enough to do by hand.
import { describe, expect, it } from 'vitest';
import type { DeviceInstance, PlanningInstance, StageInstance } from '../problem/instance.ts';
import { checkPlan, type Violation } from './check-plan.ts';

/** One stage with two levels out, half of everything at the second. */
function stage(more: Partial<StageInstance>): StageInstance {
  return {
    name: 'stage',
    levelsIn: 1,
    inner: 1,
    levelsOut: 2,
    allowed: Uint8Array.of(1, 1),
    macs: Float64Array.of(100, 50),
    weightBytes: Float64Array.of(40, 20),
    activationBytes: Float64Array.of(8, 4),
    loss: Float64Array.of(0, 0.1),
    outputBytes: Float64Array.of(60, 30),
    split: 'outputs',
    maxSeen: 1,
    sets: [[0], [1], [0, 1], [1, 2]],
    ...more,
  };
}

const device = (name: string, more: Partial<DeviceInstance> = {}): DeviceInstance => ({
  name,
  speed: 10,
  memory: 1000,
  energy: 1000,
  joulesPerMac: 0.01,
  joulesPerByteSent: 0.1,
  joulesPerByteReceived: 0.2,
  trusted: true,
  wait: 0,
  ...more,
});

const last = stage({
  levelsIn: 2,
  levelsOut: 1,
  macs: Float64Array.of(20, 10),
  weightBytes: Float64Array.of(10, 5),
  activationBytes: Float64Array.of(12, 6),
  loss: Float64Array.of(0, 0),
  outputBytes: Float64Array.of(4),
  split: 'none',
  sets: [[0], [1], [2]],
});
const middle = stage({
  levelsIn: 2,
  macs: Float64Array.of(200, 120, 110, 60),
  allowed: Uint8Array.of(1, 1, 1, 1),
  weightBytes: Float64Array.of(80, 60, 40, 20),
  activationBytes: Float64Array.of(30, 20, 16, 10),
  loss: Float64Array.of(0, 0.2, 0, 0.2),
});

function instance(more: Partial<PlanningInstance> = {}): PlanningInstance {
  const links = (value: number, own: number) =>
    [0, 1, 2].map((from) => Float64Array.from([0, 1, 2], (to) => (from === to ? own : value)));
  return {
    stages: [stage({}), middle, last],
    devices: [device('a'), device('b', { speed: 20, wait: 1 }), device('c', { joulesPerMac: 0.02 })],
    bandwidth: links(10, Number.POSITIVE_INFINITY),
    latency: links(0.5, 0),
    sharedChannel: false,
    source: 0,
    deadline: 100,
    inputBytes: 10,
    unprunedAccuracy: 0.8,
    accuracyFloor: 0.1,
    weights: { time: 1, energy: 10, accuracy: 100 },
    lossUnit: 0.15,
    ...more,
  };
}

const plan = (...decisions: [set: number, level: number][]) =>
  decisions.map(([set, level]) => ({ set, inner: 0, level }));
const kinds = (violations: readonly Violation[]) =>
  violations.map(({ constraint, device: name, stage: l }) =>
    [constraint, name ?? l].filter((x) => x !== undefined),
  );

describe('a plan by hand', () => {
  it('split by outputs over two devices', () => {
    const check = checkPlan(instance(), plan([0, 1], [3, 0], [0, 0]));
    // Stage 0 on a: 50 MACs at 10 a second. Its 30 bytes reach b and c after 0.5 + 3 seconds.
    // Stage 1 on b and c, 110 MACs: half each; b waits 1 and takes 55 / 20, c takes 55 / 10.
    // Each sends 30 of 60 bytes to a: 0.5 + 3. Stage 2 on a: 20 MACs.
    expect(check.stages.map(({ start, end }) => [start, end])).toEqual([
      [0, 5],
      [5, 14],
      [14, 19.5],
    ]);
    expect(check.stages[1]?.members).toEqual([
      { device: 1, wait: 1, transfer: 3.5, compute: 2.75 },
      { device: 2, wait: 0, transfer: 3.5, compute: 5.5 },
    ]);
    expect([check.result, check.latency]).toEqual([0, 19.5]);
    // a computes 50 + 20, sends 30 twice, receives 30 twice; b and c receive 30, compute 55, send 30.
    const [a, b, c] = check.devices;
    expect(a?.energy).toBeCloseTo(0.7 + 6 + 12, 9);
    expect(b?.energy).toBeCloseTo(6 + 0.55 + 3, 9);
    expect(c?.energy).toBeCloseTo(6 + 1.1 + 3, 9);
    // a holds 20 + 10 bytes of weights and at most 12 of activations.
    expect([a?.weightBytes, a?.activationBytes, b?.weightBytes, b?.activationBytes]).toEqual([
      30, 12, 20, 16,
    ]);
    // One loss of 0.1 is one step of 0.15.
    expect(check.accuracy).toBeCloseTo(0.8 * Math.exp(-0.15), 12);
    expect(check.objective).toBeCloseTo(19.5 + 10 * (18.7 + 9.55 + 10.1) + 100 * (1 - check.accuracy), 9);
    expect(check.violations).toEqual([]);
  });

  it('by partial sums, where each sends all of the output, and the result goes home', () => {
    const sums = instance({ stages: [stage({}), { ...middle, split: 'partial-sums' }, last] });
    const check = checkPlan(sums, plan([0, 0], [3, 0], [1, 0]));
    // b already has its own partial sum, c sends 60 bytes; then b waits 1 and computes 20 MACs at 20 a second.
    expect(check.stages[2]?.members).toEqual([{ device: 1, wait: 1, transfer: 6.5, compute: 1 }]);
    expect(check.result).toBeCloseTo(0.5 + 0.4, 12);
    // b receives 60 (input), 60 (partial sum), computes 100 + 20, sends 4.
    expect(check.devices[1]?.energy).toBeCloseTo(0.2 * 120 + 1.2 + 0.4, 9);
  });

  it('on one radio channel, where the transfers of a hop add up', () => {
    const check = checkPlan(instance({ sharedChannel: true }), plan([0, 0], [3, 0], [2, 0]));
    // 60 bytes to b and to c: 6 + 6 + 0.5. Then b alone sends its 30 bytes to c: 3.5. Then 4 bytes home.
    expect(check.stages.map(({ members }) => members[0]?.transfer)).toEqual([0, 12.5, 3.5]);
    expect(check.result).toBeCloseTo(0.9, 12);
  });

  it('by measured seconds where there are any', () => {
    const devices = [...instance().devices];
    devices[1] = device('b', { seconds: [undefined, Float64Array.of(8, 6, 4, 2), undefined] });
    const check = checkPlan(instance({ devices }), plan([0, 1], [3, 1], [0, 0]));
    expect(check.stages[1]?.members.map(({ compute }) => compute)).toEqual([1, 3]);
  });
});

describe('violations', () => {
  const decisions = plan([0, 0], [3, 1], [1, 0]);
  const cases: [string, Partial<PlanningInstance>, (string | number)[][]][] = [
    ['the deadline', { deadline: 3 }, [['deadline']]],
    ['the accuracy floor', { accuracyFloor: 0.79 }, [['accuracy']]],
    [
      'memory',
      { devices: [device('a', { memory: 47 }), device('b', { memory: 52 }), device('c')] },
      [
        ['memory', 'a'],
        ['memory', 'b'],
      ],
    ],
    ['energy', { devices: [device('a'), device('b', { energy: 1 }), device('c')] }, [['energy', 'b']]],
    [
      'levels that must not change',
      { stages: [stage({}), { ...middle, allowed: Uint8Array.of(1, 0, 0, 1) }, last] },
      [['level', 1]],
    ],
    [
      'a stage that cannot be split',
      { stages: [stage({}), { ...middle, split: 'none' }, last] },
      [['split', 1]],
    ],
  ];
  it.each(cases)('of %s', (_, more, expected) => {
    expect(kinds(checkPlan(instance(more), decisions).violations)).toEqual(expected);
  });

  it('of the source, and of a link that is not there', () => {
    expect(kinds(checkPlan(instance(), plan([1, 0], [3, 1], [1, 0])).violations)).toEqual([['source', 0]]);
    const bandwidth = instance().bandwidth.map((row) => Float64Array.from(row));
    bandwidth[2]?.fill(0);
    const { violations, latency } = checkPlan(instance({ bandwidth }), decisions);
    expect(latency).toBe(Number.POSITIVE_INFINITY);
    expect(kinds(violations)).toEqual([['deadline'], ['link', 'c to b']]);
  });

  it('of privacy: what a device makes, and the whole of what it reads', () => {
    const devices = [device('a'), device('b'), device('c', { trusted: false })];
    const seen = (first: number, second: number, split: StageInstance['split'] = 'outputs') =>
      kinds(
        checkPlan(
          instance({
            devices,
            stages: [stage({ maxSeen: first }), { ...middle, maxSeen: second, split }, last],
          }),
          decisions,
        ).violations,
      );
    expect(seen(1, 0.5)).toEqual([]);
    expect(seen(0.9, 0.5)).toEqual([['privacy', 'c']]);
    expect(seen(1, 0.4)).toEqual([['privacy', 'c']]);
    expect(seen(1, 0.5, 'partial-sums')).toEqual([['privacy', 'c']]);
  });
});
