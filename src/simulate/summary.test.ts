// Means, quantiles and counts by hand; seconds of planning by the rules.
import { describe, expect, it } from 'vitest';
import { randomInstance } from '../plan/internal.ts';
import type { RequestOutcome } from './decision-request.ts';
import { choicesOf, decisionTime } from './decision-time.ts';
import { summarise } from './summary.ts';

const outcome = (request: number, change: Partial<RequestOutcome>): RequestOutcome => ({
  ward: 0,
  request,
  bundle: 0,
  kind: 0,
  arrived: request,
  deadline: 1,
  end: 'served',
  latency: 0.1,
  queued: 0,
  deciding: 0.01,
  energy: 2,
  accuracy: 0.9,
  objective: 1,
  violations: [],
  predicted: { latency: 0.09, objective: 1 },
  ...change,
});

describe('a summary', () => {
  const broken = [
    { constraint: 'memory' as const, value: 2, limit: 1 },
    { constraint: 'memory' as const, value: 3, limit: 1 },
    { constraint: 'link' as const, value: 0, limit: 1 },
  ];
  const outcomes = [
    ...Array.from({ length: 18 }, (_, i) =>
      outcome(i, { latency: (i + 1) / 100, predicted: { latency: i / 100, objective: 1 } }),
    ),
    outcome(18, { end: 'late', latency: 1, accuracy: 0, energy: 1, objective: 5 }),
    outcome(19, { end: 'lost', latency: 1, accuracy: 0, energy: 1, objective: 5 }),
    outcome(20, { end: 'refused', refusal: 'broken plan', violations: broken, objective: 7, deciding: 0.03 }),
    outcome(21, { end: 'refused', refusal: 'no time', objective: 7, deciding: 0 }),
  ];
  const found = summarise(outcomes);

  it('counts every request once', () => {
    expect(found).toMatchObject({ requests: 22, served: 18, late: 1, lost: 1, refused: 2, violations: 1 });
    expect(found.refusals).toEqual({ 'broken plan': 1, 'no time': 1 });
    expect(found.violated).toEqual({ memory: 1, link: 1 });
  });

  it('takes means over all, over the served, over the planned', () => {
    expect(found.objective).toBeCloseTo((18 + 5 + 5 + 7 + 7) / 22, 12);
    expect(found.objectiveServed).toBe(1);
    expect(found.latency).toBeCloseTo(0.095, 12);
    // Nearest rank of 18: the ninth, and the eighteenth.
    expect([found.latencyP50, found.latencyP95]).toEqual([0.09, 0.18]);
    expect(found.energy).toBe(2);
    // 20 took 10 ms, one 30 ms, one was never planned.
    expect(found.decisionMs).toBeCloseTo((20 * 10 + 30) / 21, 9);
  });

  it('says how far predictions were off, deciding aside', () => {
    const [one] = outcomes.slice(5);
    // Of 0.06 s, 0.01 s went by deciding; 0.05 s were predicted.
    expect(summarise(one ? [one] : []).latencyError).toBeCloseTo(0, 12);
  });

  it('of nothing has nothing to tell', () => {
    expect(summarise([])).toMatchObject({ requests: 0, objective: null, latencyP95: null, decisionMs: null });
  });
});

describe('the time to decide', () => {
  const instance = randomInstance({ stages: 3, devices: 3, levels: 2, seed: 1 });
  const result = {
    status: 'gap' as const,
    objective: 1,
    bound: 0,
    stats: { labels: 1000, seconds: 0.25 },
  };

  it('is counted, measured or none', () => {
    const sets = instance.stages.map((stage) => stage.sets.length);
    // Levels in and out: 1 x 2, 2 x 2, 2 x 1.
    const choices = (sets[0] ?? 0) * 2 + (sets[1] ?? 0) * 4 + (sets[2] ?? 0) * 2;
    expect(choicesOf(instance)).toBe(choices);
    const rate = { base: 0.001, perChoice: 1e-5, perLabel: 1e-6 };
    expect(decisionTime('counted', rate)(instance, result)).toBeCloseTo(0.002 + choices * 1e-5, 12);
    expect(decisionTime('measured', rate)(instance, result)).toBe(0.25);
    expect(decisionTime('none', rate)(instance, result)).toBe(0);
  });
});
