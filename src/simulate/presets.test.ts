// The presets: consistent, fitting their fleets, and as docs/ward.md tells them.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseFleet } from '../plan/index.ts';
import { must } from '../util/index.ts';
import type { Battery } from './parameters.ts';
import { WARD_DEFAULTS, WARD_PRESETS, wardPreset } from './presets.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe.each(WARD_PRESETS)('%s', (name) => {
  const { requests, battery, presence, radio, block } = wardPreset(name);
  const fleet = parseFleet(read(`examples/fleets/${name}.json`));

  it('has shares that add up to 1', () => {
    expect(requests.kinds.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
  });

  it('tells batteries of devices that are there and have one', () => {
    const limited = fleet.devices
      .filter(({ energy }) => Number.isFinite(energy))
      .map((device) => device.name);
    for (const device of Object.keys(battery.of)) expect(limited).toContain(device);
  });

  it('goes on in blocks that are short beside what happens', () => {
    for (const seconds of [radio.snr.seconds, radio.outageSeconds, presence.away]) {
      expect(block).toBeLessThanOrEqual(seconds / 10);
    }
  });
});

describe('docs/ward.md', () => {
  const text = read('docs/ward.md');
  /** Cells of the row that begins so. */
  const row = (begins: string): string[] => {
    const line = text.split('\n').find((one) => one.startsWith(`| ${begins}`));
    return must(line, begins)
      .split('|')
      .slice(2, -1)
      .map((cell) => cell.trim());
  };
  const presets = WARD_PRESETS.map(wardPreset);

  it.each<[string, (preset: ReturnType<typeof wardPreset>) => number]>([
    ['block', ({ block }) => block],
    ['requests a second', ({ requests }) => requests.perSecond],
    ['signal to noise', ({ radio }) => radio.snr.mean],
    ['its deviation', ({ radio }) => radio.snr.deviation],
    ['its time constant', ({ radio }) => radio.snr.seconds],
    ['outages an hour', ({ radio }) => radio.outagesPerHour],
    ['seconds of an outage', ({ radio }) => radio.outageSeconds],
    ['a link is a cable', ({ radio }) => radio.cableBelow],
  ])('tells: %s', (begins, of) => {
    expect(row(begins).slice(0, 4)).toEqual(presets.map((preset) => String(of(preset))));
  });

  it('tells stays and absences, what others take, batteries and charge', () => {
    expect(row('seconds that a device stays').slice(0, 4)).toEqual(
      presets.map(({ presence }) => `${presence.stays}, ${presence.away}`),
    );
    const { load, memory, requests } = WARD_DEFAULTS;
    for (const [begins, { mean, deviation, seconds }] of [
      ['share of a device that others take', load],
      ['share of its memory', memory],
    ] as const) {
      expect(row(begins)[0]).toBe(`${mean}, ${deviation}, ${seconds} s`);
    }
    expect(row('deviation and time constant of the mix')[0]).toBe(
      `${requests.mix.deviation}, ${requests.mix.seconds} s`,
    );
    const batteries = row('battery, J').slice(0, 4);
    presets.forEach(({ battery }, i) => {
      for (const one of [battery.all, ...Object.values(battery.of)]) {
        expect(batteries[i]).toContain(capacity(one));
      }
    });
    expect(row('charge at the start').slice(0, 4)).toEqual(
      presets.map(({ battery }) => battery.start.join(' to ')),
    );
  });

  const capacity = ({ capacity: joules }: Battery): string => joules.toLocaleString('en');

  it('tells the kinds of requests', () => {
    for (const { name, share, deadline } of WARD_DEFAULTS.requests.kinds) {
      const [told, due] = row(name);
      expect(told).toBe(`${Math.round(100 * share)} %`);
      expect(due).toBe(deadline === 1 ? "the fleet's" : 'half of it');
      if (deadline !== 1) expect(deadline).toBe(0.5);
    }
  });
});
