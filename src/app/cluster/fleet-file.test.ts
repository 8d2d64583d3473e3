import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { fleetOf } from '../../plan/index.ts';
import { manifestOf } from '../../plan/test-support/manifests.ts';
import type { FleetEntry } from '../../run/index.ts';
import { fleetFileOf, hasMeasured, takenFrom } from './fleet-file.ts';

function entry(name: string, given: Partial<FleetEntry> = {}): FleetEntry {
  return {
    ...{ version: 1, name, host: hostname(), since: '', macsPerSecond: 2e9, seconds: {}, memory: 1e9 },
    ...{ memoryUsed: 0, joulesPerMac: 0, joulesPerByteSent: 0, sessions: 0, bytesSent: 0 },
    ...{ emulated: {}, bundles: [], links: [], trusted: true },
    ...given,
  };
}

describe('a fleet file of announced workers', () => {
  it('has measured times and links, and says what is emulated', () => {
    const fleet = fleetOf(
      fleetFileOf([
        entry('a', {
          seconds: { ecg: [[0.1, 0.05]] },
          bundles: [{ name: 'ecg', sha256: 'x', stages: [0], measured: true }],
          links: [{ to: 'b', bytesPerSecond: 3e6, latency: 0.002 }],
        }),
        entry('b', { trusted: false, battery: 5, emulated: { speed: 0.5 }, joulesPerMac: 1e-9 }),
      ]),
    );
    expect(fleet.devices.map(({ name, trusted, energy }) => [name, trusted, energy])).toEqual([
      ['a', true, Number.POSITIVE_INFINITY],
      ['b', false, 5],
    ]);
    expect(fleet.devices[0]?.seconds).toEqual({ ecg: [[0.1, 0.05]] });
    expect(fleet.devices[1]?.description).toContain('emulated: speed 0.5');
    expect([fleet.bandwidth[0]?.[1], fleet.latency[0]?.[1]]).toEqual([3e6, 0.002]);
    // Not probed: taken to be weak.
    expect(fleet.bandwidth[1]?.[0]).toBeLessThan(3e6);
  });

  it('takes as source a trusted device of this machine, or the one that is named', () => {
    const entries = [entry('far', { host: 'elsewhere' }), entry('guest', { trusted: false }), entry('here')];
    const sourceOf = (source?: string) => (fleetFileOf(entries, { source }) as { source: string }).source;
    expect(sourceOf()).toBe('here');
    expect(sourceOf('far')).toBe('far');
    expect(() => sourceOf('guest')).toThrow(/not trusted/);
    expect(() => sourceOf('other')).toThrow(/not there/);
    expect(() => fleetFileOf(entries.slice(0, 2))).toThrow(/no trusted worker/);
    expect(() => fleetFileOf([])).toThrow(/no worker/);
  });

  it('is not spoilt by what one device says wrongly of itself', () => {
    const manifest = manifestOf([{ layers: [{ gives: 0 }] }, { layers: [{ reads: 0 }] }], [8]);
    const { name } = manifest;
    const bundle = { sha256: 'x', manifest };
    const fine = manifest.stages.map(() => manifest.ratios.map(() => 0.1));
    const bundles = [{ name, sha256: 'x', stages: [], measured: true }];
    const withTable = (table: number[][]) => entry('liar', { bundles, seconds: { [name]: table } });
    expect(hasMeasured(withTable(fine), bundle)).toBe(true);
    for (const table of [
      [],
      fine.slice(1),
      fine.map(() => []),
      fine.map(() => [1]),
      fine.map((row) => row.with(0, 1e-300)),
      fine.map((row) => row.with(0, 1e9)),
    ]) {
      const liar = withTable(table);
      expect(hasMeasured(liar, bundle)).toBe(false);
      const [, second] = fleetOf(fleetFileOf([entry('a'), liar], { bundle })).devices;
      expect(second?.seconds).toBeUndefined();
    }
    const link = { to: 'a', bytesPerSecond: 1e6, latency: 0 };
    const links = [link, { ...link, latency: 1 }, { ...link, to: 'liar' }, { ...link, to: 'nobody' }];
    const long = entry('l'.repeat(200));
    const odd = entry('liar', { links, battery: 1e300, seconds: { other: [[1e300]] } });
    expect(fleetOf(fleetFileOf([entry('a'), odd, long])).devices).toHaveLength(2);
  });

  it('has 64 devices at most: the source and trusted ones before guests', () => {
    const guests = Array.from({ length: 100 }, (_, at) => entry(`guest-${at}`, { trusted: false }));
    const fleet = fleetOf(fleetFileOf([...guests, entry('trusted'), entry('here')], { source: 'here' }));
    expect(fleet.devices).toHaveLength(64);
    expect(fleet.devices.filter(({ trusted }) => trusted).map(({ name }) => name)).toEqual([
      'trusted',
      'here',
    ]);
    expect(takenFrom([...guests, entry('here')], 'here').left).toHaveLength(37);
  });
});
