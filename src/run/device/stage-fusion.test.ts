import { describe, expect, it } from 'vitest';
import type { RunPlan } from '../protocol/plan.ts';
import { spanAt, spansOn } from './stage-fusion.ts';

/** Stages by the devices of their segments. */
function planOf(...stages: string[]): RunPlan {
  const segments = (names: string) => [...names].map((device, at) => ({ device, from: at, to: at + 1 }));
  return { levels: [], stages: stages.map((names, index) => ({ index, segments: segments(names) })) };
}

describe('whole stages that follow each other', () => {
  it('are one part, and split ones each their own', () => {
    const plan = planOf('a', 'a', 'ab', 'a', 'b', 'a', 'a');
    expect(spansOn(plan, 'a')).toEqual([
      { first: 0, last: 1 },
      { first: 2, last: 2 },
      { first: 3, last: 3 },
      { first: 5, last: 6 },
    ]);
    expect(spansOn(plan, 'b')).toEqual([
      { first: 2, last: 2 },
      { first: 4, last: 4 },
    ]);
    expect(spansOn(plan, 'c')).toEqual([]);
  });

  it('are taken one by one from their middle', () => {
    const plan = planOf('a', 'a', 'a', 'b');
    expect(spanAt(plan, 0, 'a')).toEqual({ first: 0, last: 2 });
    expect(spanAt(plan, 1, 'a')).toEqual({ first: 1, last: 1 });
  });
});
