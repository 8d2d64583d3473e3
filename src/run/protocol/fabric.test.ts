// How long a node may be silent.
import os from 'node:os';
import { afterEach, expect, it, vi } from 'vitest';
import { silenceMs } from './fabric.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

it('a silent node is lost after 1.5 s, and later where its machine is busy', () => {
  vi.spyOn(os, 'availableParallelism').mockReturnValue(4);
  const after = (load: number): number => {
    vi.spyOn(os, 'loadavg').mockReturnValue([load, 0, 0]);
    return silenceMs();
  };
  expect([0, 1, 8, 16, 40, 1000].map(after)).toEqual([1500, 1500, 1500, 4500, 10_000, 10_000]);
});
