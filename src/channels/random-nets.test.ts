// Cut equals masked on networks put together at random from coupled blocks.

import { describe, expect, it } from 'vitest';
import { rounds } from '../util/test-support/rounds.ts';
import { expectCutEqualsMasked } from './test-support/net.ts';
import { randomNet } from './test-support/random-net.ts';

describe('random networks', () => {
  it.each(Array.from({ length: rounds(10, 30) }, (_, seed) => seed))('seed %i', async (seed) => {
    const grouping = await expectCutEqualsMasked(randomNet(seed));
    expect(grouping.groups.length).toBeGreaterThan(0);
  });
});
