// The dynamical model of the electrocardiogram of McSharry, Clifford, Tarassenko and Smith, "A dynamical model for
// generating synthetic electrocardiogram signals", IEEE Trans. Biomed. Eng. 50(3), 2003: a point runs round a limit
// cycle in (x, y), and z is pushed up and down whenever it passes the angle of a wave.
// Beyond the paper, every beat has waves of its own, so that a strip can mix beats of different kinds.
import { BedsideError } from '../../util/index.ts';

/** One wave of a beat as a cardiologist would draw it: a Gaussian in time. */
export interface Wave {
  /** Peak in millivolts, negative for a downward wave. */
  readonly height: number;
  /** Seconds from the R peak. */
  readonly time: number;
  /** Standard deviation in seconds. */
  readonly width: number;
}

/** One heartbeat. */
export interface Beat {
  /** Seconds from the R peak before this one to this one. */
  readonly rr: number;
  readonly waves: readonly Wave[];
}

/** One attractor or repellor of z, in the paper's terms: angle (here unwrapped over the beats), a_i and b_i. */
export interface Extremum {
  readonly theta: number;
  readonly a: number;
  readonly b: number;
}

/** The drive of the point between two R peaks: angular velocity in rad/s, and the extrema that it may meet. */
export interface Drive {
  readonly omega: number;
  readonly extrema: readonly Extremum[];
}

/** The slow respiratory baseline z0 = amplitude sin(2 pi frequency t + phase), in mV, Hz and rad. */
export interface Baseline {
  readonly amplitude: number;
  readonly frequency: number;
  readonly phase: number;
}

/** Position of the point, and its angle counted on over the turns. */
export interface EcgState {
  x: number;
  y: number;
  z: number;
  theta: number;
}

// Further than this many widths from its centre a Gaussian is below 5e-6 of its peak and not computed.
const REACH = 5;

/**
 * The right-hand side of the three differential equations at `point` [x, y, z], written to `out` as [dx, dy, dz].
 * @param near an unwrapped angle within half a turn of the point's, which tells the turn it is in
 * @param z0 the baseline at that time
 */
export function ecgDerivative(
  point: Float64Array,
  near: number,
  drive: Drive,
  z0: number,
  out: Float64Array,
): void {
  const [x, y, z] = [point[0]!, point[1]!, point[2]!];
  const alpha = 1 - Math.sqrt(x * x + y * y);
  const theta = near + wrap(Math.atan2(y, x) - near);
  let dz = z0 - z;
  const { extrema } = drive;
  for (let i = 0; i < extrema.length; i++) {
    const { theta: centre, a, b } = extrema[i]!;
    const d = theta - centre;
    if (d < REACH * b && d > -REACH * b) dz -= a * d * Math.exp((-d * d) / (2 * b * b));
  }
  out[0] = alpha * x - drive.omega * y;
  out[1] = alpha * y + drive.omega * x;
  out[2] = dz;
}

/** Moves `state` on by `h` seconds from time `t` with the classical Runge-Kutta method of order four. */
export function ecgStep(state: EcgState, drive: Drive, baseline: Baseline, t: number, h: number): void {
  const { x, y, z, theta } = state;
  const at = (s: number): number =>
    baseline.amplitude * Math.sin(2 * Math.PI * baseline.frequency * (t + s) + baseline.phase);
  const middle = at(h / 2);
  const moved = (step: number, by: Float64Array): Float64Array => {
    point[0] = x + step * by[0]!;
    point[1] = y + step * by[1]!;
    point[2] = z + step * by[2]!;
    return point;
  };
  [point[0], point[1], point[2]] = [x, y, z];
  ecgDerivative(point, theta, drive, at(0), k1);
  ecgDerivative(moved(h / 2, k1), theta, drive, middle, k2);
  ecgDerivative(moved(h / 2, k2), theta, drive, middle, k3);
  ecgDerivative(moved(h, k3), theta, drive, at(h), k4);
  state.x = x + (h / 6) * (k1[0]! + 2 * k2[0]! + 2 * k3[0]! + k4[0]!);
  state.y = y + (h / 6) * (k1[1]! + 2 * k2[1]! + 2 * k3[1]! + k4[1]!);
  state.z = z + (h / 6) * (k1[2]! + 2 * k2[2]! + 2 * k3[2]! + k4[2]!);
  state.theta = theta + wrap(Math.atan2(state.y, state.x) - theta);
}

const point = new Float64Array(3);
const k1 = new Float64Array(3);
const k2 = new Float64Array(3);
const k3 = new Float64Array(3);
const k4 = new Float64Array(3);

/**
 * The drives of the point from each R peak to the next: entry k leads from beat k to beat k + 1, the last one beyond
 * the last beat at an unchanged rate. Waves keep their position and width in time, whatever the rate: at angular
 * velocity omega a wave of height h and width s has b = omega s and a = h omega / b^2, so that z rises by h.
 */
export function drivesOf(beats: readonly Beat[]): Drive[] {
  const peaks: number[] = [];
  for (const beat of beats) peaks.push(peaks.length === 0 ? 0 : peaks.at(-1)! + beat.rr);
  return beats.map((beat, k) => {
    const omega = (2 * Math.PI) / (beats[k + 1] ?? beat).rr;
    const from = peaks[k]!;
    const to = peaks[k + 1] ?? Number.POSITIVE_INFINITY;
    const extrema: Extremum[] = [];
    beats.forEach((other, j) => {
      for (const { height, time, width } of other.waves) {
        const centre = peaks[j]! + time;
        if (centre + REACH * width < from || centre - REACH * width > to) continue;
        const b = omega * width;
        extrema.push({ theta: 2 * Math.PI * k + omega * (centre - from), a: (height * omega) / (b * b), b });
      }
    });
    return { omega, extrema };
  });
}

/**
 * Integrates a strip of beats from `from` seconds after the first beat's R peak (its own `rr` is not used).
 * @returns `samples` values of z in millivolts at `rate` Hz
 * @throws BedsideError E_INTERNAL when there is no beat
 */
export function integrateStrip(
  beats: readonly Beat[],
  baseline: Baseline,
  rate: number,
  from: number,
  samples: number,
  stepsPerSample = 2,
): Float64Array {
  const drives = drivesOf(beats);
  if (drives.length === 0)
    throw new BedsideError('E_INTERNAL', 'internal: an ECG strip needs at least one beat');
  const z = new Float64Array(samples);
  const h = 1 / (rate * stepsPerSample);
  const state = startAt(beats, drives, from);
  let turn = Math.min(Math.max(Math.floor(state.theta / (2 * Math.PI)), 0), drives.length - 1);
  for (let n = 0; n < samples; n++) {
    z[n] = state.z;
    for (let s = 0; s < stepsPerSample; s++) {
      let t = from + n / rate + s * h;
      let rest = h;
      // A step that meets an R peak ends there and continues at the new rate.
      while (turn < drives.length - 1) {
        const toPeak = (2 * Math.PI * (turn + 1) - state.theta) / drives[turn]!.omega;
        if (toPeak > rest) break;
        ecgStep(state, drives[turn]!, baseline, t, toPeak);
        t += toPeak;
        rest -= toPeak;
        turn++;
      }
      ecgStep(state, drives[turn]!, baseline, t, rest);
    }
  }
  return z;
}

// On the limit cycle, at the height the waves have there.
function startAt(beats: readonly Beat[], drives: readonly Drive[], time: number): EcgState {
  let z = 0;
  let theta = 0;
  let peak = 0;
  beats.forEach((beat, k) => {
    if (k > 0) peak += beat.rr;
    if (k === 0 || peak <= time) theta = 2 * Math.PI * k + drives[k]!.omega * (time - peak);
    for (const wave of beat.waves) {
      const d = time - peak - wave.time;
      z += wave.height * Math.exp((-d * d) / (2 * wave.width * wave.width));
    }
  });
  return { x: Math.cos(theta), y: Math.sin(theta), z, theta };
}

/** An angle brought into [-pi, pi). */
function wrap(angle: number): number {
  return angle - 2 * Math.PI * Math.floor(angle / (2 * Math.PI) + 0.5);
}
