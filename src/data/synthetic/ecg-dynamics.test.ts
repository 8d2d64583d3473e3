import { describe, expect, it } from 'vitest';
import {
  type Baseline,
  type Beat,
  type Drive,
  drivesOf,
  type EcgState,
  ecgDerivative,
  ecgStep,
  integrateStrip,
  type Wave,
} from './ecg-dynamics.ts';

const FLAT: Baseline = { amplitude: 0, frequency: 0.25, phase: 0 };
const BREATH: Baseline = { amplitude: 0.15, frequency: 0.25, phase: 0.4 };
const WAVES: readonly Wave[] = [
  { height: 0.2, time: -0.16, width: 0.025 },
  { height: 1.1, time: 0, width: 0.011 },
  { height: -0.3, time: 0.03, width: 0.01 },
  { height: 0.35, time: 0.26, width: 0.05 },
];

describe('the limit cycle', () => {
  // In polar coordinates the model is r' = r (1 - r), theta' = omega: r is a logistic curve.
  it.each([0.2, 0.7, 1, 1.8])('is reached from radius %d as the exact solution says', (r0) => {
    const omega = 2 * Math.PI * 1.3;
    const state: EcgState = { x: r0, y: 0, z: 0, theta: 0 };
    const h = 1 / 720;
    for (let n = 1; n <= 720 * 8; n++) {
      ecgStep(state, { omega, extrema: [] }, FLAT, (n - 1) * h, h);
      if (n % 720 !== 0) continue;
      const t = n * h;
      expect(Math.hypot(state.x, state.y)).toBeCloseTo(1 / (1 + (1 / r0 - 1) * Math.exp(-t)), 8);
      expect(state.theta).toBeCloseTo(omega * t, 6);
    }
    expect(Math.abs(Math.hypot(state.x, state.y) - 1)).toBeLessThan(2e-3);
  });
});

describe('the derivative', () => {
  it('is the central difference of the solution, all round the cycle and in a later turn', () => {
    const [, drive] = drivesOf([
      { rr: 0.8, waves: WAVES },
      { rr: 0.8, waves: WAVES },
      { rr: 0.7, waves: WAVES },
    ]) as [Drive, Drive];
    const out = new Float64Array(3);
    const h = 1e-4;
    for (let i = 0; i < 60; i++) {
      const theta = 2 * Math.PI * (1 + (i + 0.5) / 60);
      const start = { x: 0.9 * Math.cos(theta), y: 0.9 * Math.sin(theta), z: 0.05 * Math.sin(i), theta };
      const forth: EcgState = { ...start };
      const back: EcgState = { ...start };
      ecgStep(forth, drive, BREATH, 2, h);
      ecgStep(back, drive, BREATH, 2, -h);
      ecgDerivative(
        Float64Array.of(start.x, start.y, start.z),
        theta,
        drive,
        0.15 * Math.sin(Math.PI + 0.4),
        out,
      );
      expect((forth.x - back.x) / (2 * h)).toBeCloseTo(out[0]!, 4);
      expect((forth.y - back.y) / (2 * h)).toBeCloseTo(out[1]!, 4);
      // |z'''| reaches height / width^3, about 1e6, times h^2 / 6.
      expect(Math.abs((forth.z - back.z) / (2 * h) - out[2]!)).toBeLessThan(5e-3);
    }
  });

  it('follows the formula of the paper at its own parameters (Table I)', () => {
    const table = [
      [-Math.PI / 3, 1.2, 0.25],
      [-Math.PI / 12, -5, 0.1],
      [0, 30, 0.1],
      [Math.PI / 12, -7.5, 0.1],
      [Math.PI / 2, 0.75, 0.4],
    ] as const;
    const extrema = table.map(([theta, a, b]) => ({ theta, a, b }));
    const out = new Float64Array(3);
    for (const angle of [-2.5, -1, -0.3, 0.05, 0.3, 1.5, 3]) {
      ecgDerivative(
        Float64Array.of(Math.cos(angle), Math.sin(angle), 0.02),
        angle,
        { omega: 2 * Math.PI, extrema },
        0.01,
        out,
      );
      let expected = -(0.02 - 0.01);
      for (const [theta, a, b] of table) {
        const d = angle - theta;
        expected -= a * d * Math.exp(-(d ** 2) / (2 * b ** 2));
      }
      expect(out[2]).toBeCloseTo(expected, 3);
    }
  });
});

describe('a strip', () => {
  const beats: readonly Beat[] = [0.8, 0.75, 0.42, 1.2, 0.8].map((rr, k) => ({
    rr,
    waves: WAVES.map((wave) => ({ ...wave, height: wave.height * (1 + 0.1 * k) })),
  }));
  const peaks = [0, 0.75, 1.17, 2.37, 3.17];

  // With z' = G' - (z - z0) the solution is z = G - integral of exp(-(t - s)) (G(s) - z0(s)) ds, from z = G at the start.
  it('is the sum of its waves, leaking with a time constant of one second, whatever the rate', () => {
    const sum = (t: number): number =>
      beats.reduce(
        (total, beat, k) =>
          total +
          beat.waves.reduce(
            (part, w) => part + w.height * Math.exp(-((t - peaks[k]! - w.time) ** 2) / (2 * w.width ** 2)),
            0,
          ),
        0,
      );
    const z0 = (t: number): number => 0.15 * Math.sin(2 * Math.PI * 0.25 * t + 0.4);
    const from = 0.35;
    const z = integrateStrip(beats, BREATH, 360, from, 900);
    const fine = 20;
    const dt = 1 / (360 * fine);
    let leak = 0;
    let worst = 0;
    for (let n = 0; n < z.length; n++) {
      worst = Math.max(worst, Math.abs(z[n]! - (sum(from + n / 360) - leak)));
      for (let i = 0; i < fine; i++) {
        const t = from + n / 360 + (i + 0.5) * dt;
        leak += dt * (sum(t) - z0(t) - leak);
      }
    }
    expect(worst).toBeLessThan(5e-5);
  });

  it('converges with the fourth power of the step, and is exact to two nanovolts at the one in use', () => {
    const error = (rate: number, steps: number): number => {
      const exact = integrateStrip(beats, BREATH, rate, 0.1, rate, 64);
      const z = integrateStrip(beats, BREATH, rate, 0.1, rate, steps);
      return z.reduce((max, value, n) => Math.max(max, Math.abs(value - exact[n]!)), 0);
    };
    const ratio = error(120, 1) / error(120, 2);
    expect(ratio).toBeGreaterThan(12);
    expect(ratio).toBeLessThan(22);
    expect(error(360, 2)).toBeLessThan(2e-6);
  });

  it('without a beat is a defect, not an empty strip', () => {
    expect(() => integrateStrip([], FLAT, 360, 0, 10)).toThrow(/at least one beat/);
  });
});
