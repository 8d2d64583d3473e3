import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { fleetOf } from '../../plan/index.ts';
import type { BoardEntry } from '../../run/index.ts';
import { fleetOfBoard } from './board-fleet.ts';

function entry(name: string, given: Partial<BoardEntry> = {}): BoardEntry {
  return {
    ...{ version: 1, name, host: hostname(), since: '', macsPerSecond: 2e9, seconds: {}, memory: 1e9 },
    ...{ memoryUsed: 0, joulesPerMac: 0, joulesPerByteSent: 0, sessions: 0, bytesSent: 0 },
    ...{ emulated: {}, bundles: [], links: [], trusted: true },
    ...given,
  };
}

describe('a fleet of a board', () => {
  it('has measured times and links, and says what is emulated', () => {
    const fleet = fleetOf(
      fleetOfBoard([
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
    const sourceOf = (source?: string) => (fleetOfBoard(entries, { source }) as { source: string }).source;
    expect(sourceOf()).toBe('here');
    expect(sourceOf('far')).toBe('far');
    expect(() => sourceOf('guest')).toThrow(/not trusted/);
    expect(() => sourceOf('other')).toThrow(/not there/);
    expect(() => fleetOfBoard(entries.slice(0, 2))).toThrow(/no trusted worker/);
    expect(() => fleetOfBoard([])).toThrow(/no worker/);
  });
});
