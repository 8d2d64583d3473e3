import { describe, expect, it } from 'vitest';
import type { PlanView } from '../../plan/index.ts';
import { BedsideError } from '../../util/index.ts';
import { type PlanningParts, planOnReturn, unprunedFallback } from './plan-changes.ts';

describe('a device that is there again', () => {
  const view = { levels: [1] } as unknown as PlanView;

  it('is planned with once, on what is there now; not while devices only go, nor when it goes again at once', async () => {
    const lost = new Map<string, string>();
    const planned: string[][] = [];
    const notes: string[] = [];
    let warmed = (): Promise<void> => Promise.resolve();
    const back = planOnReturn(
      {
        plan: async (without = new Set<string>()) => {
          planned.push([...without]);
          return view;
        },
      },
      { lost, warm: () => warmed() },
      { note: (text) => notes.push(text) },
    );
    expect(await back()).toBeUndefined();
    lost.set('a', 'gone').set('b', 'gone');
    expect(await back()).toBeUndefined();
    expect(planned).toEqual([]);
    lost.delete('a');
    expect(await back()).toBe(view);
    expect(await back()).toBeUndefined();
    expect(planned).toEqual([['b']]);
    expect(notes).toEqual(['there again: a; planned again']);
    lost.delete('b');
    warmed = () => Promise.reject(new BedsideError('E_LOST', 'gone'));
    expect(await back()).toBeUndefined();
    lost.set('b', 'gone');
    expect(await back()).toBeUndefined();
    lost.delete('b');
    warmed = () => Promise.reject(new BedsideError('E_DEVICE', 'too large'));
    // One that refuses ends nothing.
    expect(await back()).toBeUndefined();
    expect(notes.at(-1)).toBe('there again: b; not planned again: too large');
  });
});

it('a fallback that cannot be planned again ends nothing', async () => {
  const lost = new Map<string, string>();
  const view = { latency: 1 } as unknown as PlanView;
  const planner = {
    unpruned: (without?: ReadonlySet<string>) =>
      without ? Promise.reject(new Error('no memory')) : Promise.resolve(view),
  };
  const plans = { ready: (plan: () => Promise<PlanView | undefined>) => plan() };
  const parts = { planner, plans, coordinator: { lost } } as unknown as PlanningParts;
  const fallback = await unprunedFallback(parts, 'b', 0.1);
  lost.set('a', 'gone');
  expect(fallback()?.plan).toBe(view);
  await new Promise((done) => setImmediate(done));
  expect(fallback()).toBeUndefined();
});
