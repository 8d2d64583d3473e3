// The environments against the formulas of their processes, and what they must keep to.
import { describe, expect, it } from 'vitest';
import { must } from '../util/index.ts';
import { persistence, shannon } from './dynamics.ts';
import type { WardParameters } from './parameters.ts';
import { WARD_DEFAULTS } from './presets.ts';
import { STILL, wardOf } from './test-support/wards.ts';
import { VectorEnvironment } from './vector-environment.ts';

const LIVELY: Partial<WardParameters> = {
  radio: { ...WARD_DEFAULTS.radio, outagesPerHour: 200 },
  load: WARD_DEFAULTS.load,
  memory: WARD_DEFAULTS.memory,
  battery: { ...WARD_DEFAULTS.battery, all: { capacity: 500, idle: 1, charge: 5 } },
  presence: { stays: 30, away: 10 },
};

const average = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

describe('signals', () => {
  const snr = { mean: 18, deviation: 5, seconds: 2 };
  const radio = { ...STILL.radio, snr };
  // Many wards one after another in time give more independent values than one ward.
  const environments = new VectorEnvironment(Array.from({ length: 40 }, (_, w) => wardOf({ radio }, w + 1)));
  const paths: number[][] = Array.from({ length: environments.signal.length }, () => []);
  const STEPS = 2000;
  for (let step = 0; step < STEPS; step++) {
    environments.signal.forEach((value, link) => {
      paths[link]?.push(value - snr.mean);
    });
    environments.step();
  }

  it('keep the mean and the deviation that they begin with', () => {
    const first = paths.map((path) => path[0] ?? 0);
    const all = paths.flat();
    // 240,000 values, an independent one every 40: standard errors of 0.06 dB and 0.05 dB.
    expect(Math.abs(average(all))).toBeLessThan(0.3);
    expect(Math.sqrt(average(all.map((x) => x * x)))).toBeCloseTo(snr.deviation, 0);
    expect(Math.abs(Math.sqrt(average(all.map((x) => x * x))) - snr.deviation)).toBeLessThan(0.25);
    // 120 values at the start: 0.32 dB.
    expect(Math.abs(Math.sqrt(average(first.map((x) => x * x))) - snr.deviation)).toBeLessThan(1.2);
  });

  it.each([1, 5, 20, 60])('are correlated over %d blocks as Gauss-Markov processes are', (lag) => {
    const products = paths.flatMap((path) =>
      path.slice(lag).map((value, at) => value * must(path[at], 'a value')),
    );
    const wanted = persistence(snr.seconds, lag * STILL.block);
    expect(Math.abs(average(products) / snr.deviation ** 2 - wanted)).toBeLessThan(0.06);
    // By hand: after 2 s, 1/e.
    if (lag === 20) expect(wanted).toBeCloseTo(Math.exp(-1), 12);
  });

  it('of different links have nothing in common', () => {
    const [one, other] = [must(paths[0], 'a path'), must(paths[1], 'a path')];
    const correlation = average(one.map((value, i) => value * (other[i] ?? 0))) / snr.deviation ** 2;
    expect(Math.abs(correlation)).toBeLessThan(0.25);
  });
});

describe('rates', () => {
  it('Shannon by hand', () => {
    // 20 dB are 100 times: log2(101) = 6.6582 bits a second and hertz; 0 dB: log2(2).
    expect(shannon(20)).toBeCloseTo(6.658211, 6);
    expect(shannon(0)).toBe(1);
    expect(shannon(-300)).toBeCloseTo(0, 12);
  });

  it("follow the signal, the fleet's figure at the mean", () => {
    const snr = { mean: 20, deviation: 6, seconds: 1 };
    const environments = new VectorEnvironment([wardOf({ radio: { ...STILL.radio, snr } })]);
    const view = environments.view(0);
    for (let step = 0; step < 50; step++) {
      environments.step();
      // The first link joins devices 0 and 1. Bandwidth in hertz that gives 1e6 bytes a second at 20 dB:
      const hertz = (8 * 1e6) / Math.log2(1 + 100);
      const wanted = (hertz * Math.log2(1 + 10 ** (must(environments.signal[0], 'a signal') / 10))) / 8;
      expect(view.bandwidth[1]).toBeCloseTo(wanted, 4);
      expect(view.bandwidth[3]).toBe(view.bandwidth[1]);
    }
  });

  it('of cables do not change', () => {
    const snr = { mean: 20, deviation: 6, seconds: 1 };
    const spec = wardOf({ radio: { ...STILL.radio, snr, cableBelow: 0.01, outagesPerHour: 3600 } });
    const environments = new VectorEnvironment([spec]);
    for (let step = 0; step < 100; step++) {
      environments.step();
      expect(environments.view(0).bandwidth[1]).toBe(1e6);
    }
  });

  it('are 0 in outages, as often and as long as told', () => {
    const radio = { ...STILL.radio, outagesPerHour: 120, outageSeconds: 2 };
    const environments = new VectorEnvironment([wardOf({ radio }, 3), wardOf({ radio }, 4)]);
    const view = environments.view(0);
    let [out, begun, steps, wrong] = [0, 0, 0, 0];
    const before = new Uint8Array(environments.outageLeft.length);
    for (; steps < 40_000; steps++) {
      environments.step();
      environments.outageLeft.forEach((left, link) => {
        const now = left > 0 ? 1 : 0;
        out += now;
        if (now === 1 && before[link] === 0) begun++;
        before[link] = now;
      });
      if ((view.bandwidth[1] === 0) !== (environments.outageLeft[0] ?? 0) > 0) wrong++;
    }
    expect(wrong).toBe(0);
    const links = environments.outageLeft.length;
    const hours = (links * steps * STILL.block) / 3600;
    // 30 s of service, then 2 s without, in turn; about 750 times.
    expect(Math.abs(out / (links * steps) - 2 / 32)).toBeLessThan(0.01);
    expect(Math.abs(begun / hours / (3600 / 32) - 1)).toBeLessThan(0.12);
  });
});

describe('devices', () => {
  it('as the fleet tells them while nothing moves', () => {
    const spec = wardOf();
    const environments = new VectorEnvironment([spec]);
    for (let step = 0; step < 3; step++) {
      const view = environments.view(0);
      spec.fleet.devices.forEach((device, d) => {
        expect(view.present[d]).toBe(1);
        expect(view.slowdown[d]).toBe(1);
        expect(view.memory[d]).toBe(device.memory);
        expect(view.energy[d]).toBe(device.energy);
        expect(view.entry(d)).toMatchObject({ macsPerSecond: device.macsPerSecond });
      });
      expect([...view.bandwidth]).toEqual(spec.fleet.bandwidth.flat());
      environments.step();
    }
  });

  it('are slower and smaller, the more others take; what others take has the mean that is told', () => {
    const environments = new VectorEnvironment([wardOf({ load: { mean: 0.4, deviation: 0.1, seconds: 1 } })]);
    const view = environments.view(0);
    const taken: number[] = [];
    let furthest = 0;
    for (let step = 0; step < 20_000; step++) {
      environments.step();
      taken.push(1 - 0.6 / must(view.slowdown[0], 'slowdown'));
      const whole = view.entry(0).macsPerSecond * must(view.slowdown[0], 'slowdown');
      furthest = Math.max(furthest, Math.abs(whole - 2e7));
    }
    expect(furthest).toBeLessThan(5e-4);
    expect(Math.abs(average(taken) - 0.4)).toBeLessThan(0.02);
  });

  it('come and go, but for the source and for trusted ones with a plug', () => {
    const devices = [{}, { energy: 1 }, { trusted: false }, {}];
    const environments = new VectorEnvironment([wardOf({ presence: { stays: 20, away: 10 } }, 5, devices)]);
    const view = environments.view(0);
    const there = [0, 0, 0, 0];
    let reached = 0;
    const steps = 100_000;
    for (let step = 0; step < steps; step++) {
      environments.step();
      for (let d = 0; d < 4; d++) there[d] = must(there[d], 'a count') + must(view.present[d], 'presence');
      // Nothing reaches those who are away.
      if (view.present[1] === 0 && (view.bandwidth[0 * 4 + 1] || view.bandwidth[1 * 4 + 2]) !== 0) reached++;
    }
    expect(reached).toBe(0);
    expect([there[0], there[3]]).toEqual([steps, steps]);
    // 20 s there, 10 s away in turn, some 330 times.
    for (const d of [1, 2]) {
      expect(Math.abs(must(there[d], 'a count') / steps - 2 / 3)).toBeLessThan(0.06);
    }
  });
});

describe('batteries', () => {
  const battery: WardParameters['battery'] = {
    all: { capacity: 100, idle: 2, charge: 22 },
    of: {},
    start: [0.5, 0.5],
    gives: [0.1, 0.3],
    charger: [0.08, 0.9],
  };
  const begin = () => {
    const environments = new VectorEnvironment([wardOf({ battery })]);
    return { environments, view: environments.view(0) };
  };

  it('drain without requests and with them', () => {
    const { environments, view } = begin();
    expect(environments.charge[1]).toBe(50);
    for (let step = 0; step < 10; step++) environments.step();
    // 10 blocks of 0.1 s at 2 W.
    expect(environments.charge[1]).toBeCloseTo(48, 9);
    view.spend(1, 28);
    expect(environments.charge[1]).toBeCloseTo(20, 9);
    // What requests may spend follows at the next block: 19.8 J are 9.8 of the 20 % between the shares.
    expect(view.energy[1]).toBe(1);
    environments.step();
    expect(view.energy[1]).toBeCloseTo(0.49, 9);
  });

  it('are charged away, until they are nearly full', () => {
    const { environments, view } = begin();
    view.spend(1, 41);
    for (let step = 0; step < 6; step++) environments.step();
    // 7.8 J: to the charger.
    expect([view.present[1], view.energy[1]]).toEqual([0, 0]);
    let steps = 0;
    for (; view.present[1] === 0; steps++) environments.step();
    // 20 W more than it uses: 41 blocks to 89.8 J, and one to more than 90 J.
    expect(steps).toBe(42);
    expect(environments.charge[1]).toBeCloseTo(91.8, 9);
  });

  it('of the source are charged where it is', () => {
    const devices = [{ energy: 1 }, {}];
    const environments = new VectorEnvironment([wardOf({ battery }, 1, devices)]);
    const view = environments.view(0);
    view.spend(0, 49);
    for (let step = 0; step < 30; step++) {
      environments.step();
      expect(view.present[0]).toBe(1);
    }
    expect(must(environments.charge[0], 'charge')).toBeGreaterThan(50);
  });

  it('are only in devices whose energy is limited', () => {
    const { environments, view } = begin();
    environments.step();
    expect([view.energy[0], environments.charge[0]]).toEqual([Number.POSITIVE_INFINITY, 0]);
  });
});

describe('many wards', () => {
  const states = (environments: VectorEnvironment, w: number) => {
    const { since, present, slowdown, memory, energy, bandwidth } = environments.view(w);
    return { since, all: [present, slowdown, memory, energy, bandwidth].map((values) => [...values]) };
  };
  const wards = [
    wardOf(LIVELY, 1),
    wardOf(LIVELY, 2, [{}, { energy: 2 }, { trusted: false }, {}, { energy: 1 }]),
    wardOf(LIVELY, 3, [{}]),
  ];

  it('go each its own way, the same alone as together, the same on every run', () => {
    const together = new VectorEnvironment(wards);
    for (let step = 0; step < 300; step++) together.step();
    wards.forEach((ward, w) => {
      const alone = new VectorEnvironment([ward]);
      for (let step = 0; step < 300; step++) alone.step();
      expect(states(alone, 0)).toEqual(states(together, w));
    });
    expect(states(together, 0).all).not.toEqual(states(new VectorEnvironment([wardOf(LIVELY, 9)]), 0).all);
  });

  it('stand still where they are told to', () => {
    const environments = new VectorEnvironment(wards);
    const before = states(environments, 1);
    environments.step(Uint8Array.of(1, 0, 1));
    expect(states(environments, 1)).toEqual(before);
    expect(states(environments, 0).since).toBe(STILL.block);
  });

  it('draw the same whatever requests spend', () => {
    const [one, other] = [new VectorEnvironment(wards), new VectorEnvironment(wards)];
    for (let step = 0; step < 200; step++) {
      other.spend(0, 1, 0.2);
      one.step();
      other.step();
    }
    expect([...one.signal]).toEqual([...other.signal]);
    expect([...one.slowdown]).toEqual([...other.slowdown]);
    expect([...one.charge]).not.toEqual([...other.charge]);
  });

  it('allocate nothing while they step', () => {
    const environments = new VectorEnvironment(Array.from({ length: 8 }, (_, w) => wardOf(LIVELY, w)));
    // The first steps are interpreted, which boxes numbers.
    for (let step = 0; step < 20_000; step++) environments.step();
    // Bytes in 40,000 steps of a ward if each made one object or array. A number that the compiler boxes, as it may or
    // may not, is less than half of that.
    const OBJECTS = 40_000 * 32;
    // How soon they are compiled depends on what else the machine does.
    let least = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 60 && least >= OBJECTS; round++) {
      const before = process.memoryUsage().heapUsed;
      for (let step = 0; step < 5_000; step++) environments.step();
      least = Math.min(least, Math.abs(process.memoryUsage().heapUsed - before));
    }
    expect(least).toBeLessThan(OBJECTS);
  });
});
