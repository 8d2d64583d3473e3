import { expect, it } from 'vitest';
import { AnswerCounts } from './answer-counts.ts';

it('counts samples by variant over the last hour, and forgets older ones', () => {
  let now = 30;
  const counts = new AnswerCounts(() => now);
  counts.add(2, 3);
  counts.add(undefined, 1);
  now += 600;
  counts.add(2, 1);
  counts.add(0, 9);
  expect(counts.seconds).toBe(600);
  expect(counts.byVariant).toEqual([
    { variant: 0, samples: 9 },
    { variant: 2, samples: 4 },
    { variant: null, samples: 1 },
  ]);
  now += 3500;
  expect(counts.seconds).toBe(3600);
  expect(counts.byVariant).toEqual([
    { variant: 0, samples: 9 },
    { variant: 2, samples: 1 },
  ]);
  now += 3600;
  expect(counts.byVariant).toEqual([]);
});
