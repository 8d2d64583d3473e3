import { describe, expect, it } from 'vitest';
import { stageCosts } from '../../bundle/index.ts';
import { chainManifest } from '../../plan/test-support/manifests.ts';
import { StageTimes } from './stage-times.ts';

describe('times of stages', () => {
  const manifest = chainManifest(3, { ratios: [0, 0.5] });
  const macs = (stage: number, level: number): number =>
    stageCosts(
      manifest,
      stage,
      manifest.groups.map(() => level),
    ).macs;

  it('are those that were measured, then what requests took in proportion', () => {
    const times = new StageTimes(manifest);
    expect(times.table()).toBeUndefined();
    for (const stage of [0, 1, 2]) times.set(stage, [0.4, 0.1]);
    expect(times.table()).toEqual([0, 1, 2].map(() => [0.4, 0.1]));
    const both = [0, 1].map((stage) => ({ stage, macs: macs(stage, 0) }));
    expect(times.measured(both, 0.5)).toBeCloseTo(0.4);
    // A request for half of the channels shows that level 1 is twice as slow.
    for (let request = 0; request < 3; request++) times.record([{ stage: 1, macs: macs(1, 1) }], 0.5, 0.1);
    expect(times.table()?.[1]?.[0]).toBeCloseTo(0.8);
    expect(times.table()?.[1]?.[1]).toBeCloseTo(0.2);
    expect(times.table()?.[0]).toEqual([0.4, 0.1]);
    // Newer requests outvote older ones.
    for (let request = 0; request < 16; request++) times.record([{ stage: 1, macs: macs(1, 0) }], 1, 0.4);
    expect(times.table()?.[1]?.[1]).toBeCloseTo(0.1);
  });

  it('of stages that ran as one are told apart in proportion', () => {
    const times = new StageTimes(manifest);
    times.set(0, [0.4, 0.1]);
    times.set(1, [0.2, 0.1]);
    const both = [0, 1].map((stage) => ({ stage, macs: macs(stage, 0) }));
    times.record(both, 1, 0.3);
    times.set(2, [0.1, 0.1]);
    expect(times.table()?.map(([first]) => first)).toEqual(
      [0.2, 0.1, 0.1].map((value) => expect.closeTo(value)),
    );
  });

  it('start from the bundle, and without any from multiply-accumulates', () => {
    const measured = new StageTimes(chainManifest(3, { ratios: [0, 0.5], secondsPerMac: 1e-9 }));
    expect(
      measured
        .table()
        ?.flat()
        .every((seconds) => seconds > 0),
    ).toBe(true);
    expect(measured.measured([{ stage: 0, macs: 1 }], 1)).toBeUndefined();
    const times = new StageTimes(manifest);
    for (const stage of [0, 1, 2]) times.record([{ stage, macs: macs(stage, 0) }], 1, 1);
    expect(times.table()?.map(([first]) => first)).toEqual([1, 1, 1]);
    // The first layer reads the whole input, so half of its channels are half of its work.
    expect(times.table()?.[0]?.[1]).toBeCloseTo(0.5);
  });
});
