// Requests under faults, for a short time; `npm run bench:soak` runs longer.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalGraph } from '../../onnx/internal.ts';
import { Random } from '../../util/internal.ts';
import { rounds } from '../../util/test-support/rounds.ts';
import { writtenBundle } from '../test-support/bundles.ts';
import { mixedNet } from '../test-support/mixed-net.ts';
import { soak } from '../test-support/soak.ts';
import { LocalSoak } from '../test-support/soak-local.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-soak-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('requests under faults', () => {
  it('each end once, with the right logits or a coded error', async () => {
    const bundle = await writtenBundle(join(folder, 'mixed'), canonicalGraph(mixedNet()));
    const requests = rounds(30, 96);
    const { answered, moved, failed, wrong, twice, unended, faults } = await soak(
      { requests, bundle, random: new Random(1), together: 6, faultEvery: 12, deadline: 8 },
      LocalSoak.open,
    );
    const errors = Object.values(failed).reduce((sum, count) => sum + count, 0);
    expect({ wrong, twice, unended, ended: answered + errors }).toEqual({
      wrong: [],
      twice: 0,
      unended: 0,
      ended: requests,
    });
    expect(answered).toBeGreaterThan(requests / 4);
    expect(moved).toBeGreaterThan(0);
    expect(Object.keys(failed).filter((code) => !['E_DEADLINE', 'E_LOST'].includes(code))).toEqual([]);
    const { before = 0, during = 0, between = 0, repeated, replayed } = faults;
    for (const count of [before + during + between, repeated, replayed]) expect(count).toBeGreaterThan(0);
  });
});
