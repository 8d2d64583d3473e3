// Small random instances of every kind: what a bundle and a fleet can contain, in all mixtures.

import type { PlanningInstance } from '../problem/instance.ts';
import { type RandomInstanceOptions, randomInstance } from '../random/random-instance.ts';

/** Options of the seed-th mixture; 3 to 5 stages on 2 to 4 devices unless said otherwise. */
export function mixture(seed: number, sizes: Partial<RandomInstanceOptions> = {}): RandomInstanceOptions {
  const bits = Math.imul(seed, 2654435761) >>> 0;
  const on = (bit: number): boolean => ((bits >>> bit) & 1) === 1;
  return {
    stages: 3 + (seed % 3),
    devices: 2 + (seed % 3),
    levels: 1 + ((seed >> 1) % 3),
    pairs: 2,
    quads: 1,
    seed,
    tightness: [0.3, 0.6, 1, 1.5][seed % 4] ?? 1,
    privacy: (['open', 'shares', 'strict'] as const)[seed % 3] ?? 'open',
    mixedSplits: on(3),
    sharedChannel: on(4),
    inner: on(5) && seed % 3 === 0 ? 2 : 1,
    trunks: on(6),
    activations: on(7),
    measured: on(8),
    waits: on(9),
    missingLinks: on(10),
    loss: on(11) ? 0.02 : 0.08,
    trusted: on(12) ? 0.3 : 0.7,
    ...sizes,
  };
}

/** One of every mixture. */
export function smallInstance(seed: number, sizes: Partial<RandomInstanceOptions> = {}): PlanningInstance {
  return randomInstance(mixture(seed, sizes));
}
