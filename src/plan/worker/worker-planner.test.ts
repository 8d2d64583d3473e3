import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { solve } from '../exact/solve.ts';
import type { PlanProgress } from '../planner.ts';
import { randomInstance } from '../random/random-instance.ts';
import { WorkerPlanner } from './worker-planner.ts';

describe('a planner in a worker thread', () => {
  const instance = randomInstance({ stages: 8, devices: 4, levels: 4, seed: 3, tightness: 0.8 });
  const hard = randomInstance({ stages: 30, devices: 12, levels: 9, seed: 5, tightness: 0.9 });
  let planner: WorkerPlanner;
  beforeAll(() => {
    planner = new WorkerPlanner('exact');
  });
  afterAll(() => planner.close());

  it('answers as the calling thread does, and says how far it is', async () => {
    const progress: PlanProgress[] = [];
    const result = await planner.plan(instance, { onProgress: (step) => progress.push(step) });
    const here = solve(instance, 'exact');
    expect([result.status, result.objective, result.decisions]).toEqual([
      here.status,
      here.objective,
      here.decisions,
    ]);
    expect(progress.map(({ phase }) => phase)).toContain('root');
    expect(progress.every(({ bound, objective }) => bound <= objective)).toBe(true);
  });

  it('stops when told, with what it has', async () => {
    const control = new AbortController();
    const result = await planner.plan(hard, {
      labels: 1e12,
      signal: control.signal,
      onProgress: () => control.abort(),
    });
    expect(result.bound).toBeGreaterThan(0);
    expect(['gap', 'unknown', 'optimal']).toContain(result.status);
    // The thread is free for the next request.
    expect((await planner.plan(instance)).status).toBe('optimal');
  });

  it('refuses requests after its end', async () => {
    const other = new WorkerPlanner('beam');
    await other.close();
    await expect(other.plan(instance)).rejects.toMatchObject({ code: 'E_INTERNAL' });
  });
});
