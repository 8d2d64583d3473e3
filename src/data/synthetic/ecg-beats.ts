// The five kinds of beats of the synthetic ECG as parameters of the dynamical model, and the rhythm they stand in.
// Every beat is a subject of its own. Ranges overlap on purpose: bundle branch block widens normal beats, fast sinus
// rhythm looks early, pacing spikes may be faint, fusion reaches from nearly normal to nearly ventricular.
import type { Random } from '../../util/internal.ts';
import type { Beat, Wave } from './ecg-dynamics.ts';

/**
 * The AAMI EC57 classes in the order of their labels: normal, supraventricular, ventricular, fusion, paced or unknown.
 */
export const BEAT_CLASSES = ['N', 'S', 'V', 'F', 'Q'] as const;

export type BeatClass = (typeof BEAT_CLASSES)[number];

/** A beat in its rhythm: two beats before it and one after. */
export interface Strip {
  readonly beats: readonly [Beat, Beat, Beat, Beat];
  /** Index in `beats` of the one that the label is about. */
  readonly target: 2;
}

// Table I of McSharry et al. at 60 beats a minute: angles over 2 pi are seconds, and a b^2 is the height up to a scale.
const TABLE = [
  { theta: -Math.PI / 3, a: 1.2, b: 0.25 },
  { theta: -Math.PI / 12, a: -5, b: 0.1 },
  { theta: 0, a: 30, b: 0.1 },
  { theta: Math.PI / 12, a: -7.5, b: 0.1 },
  { theta: Math.PI / 2, a: 0.75, b: 0.4 },
] as const;
const R_SCALE = 1 / (30 * 0.1 * 0.1);
const [P, Q, R, S, T] = TABLE.map(
  ({ theta, a, b }): Wave => ({
    height: a * b * b * R_SCALE,
    time: theta / (2 * Math.PI),
    width: b / (2 * Math.PI),
  }),
) as [Wave, Wave, Wave, Wave, Wave];

/** Draws a strip whose target is of the given class. */
export function drawStrip(kind: BeatClass, random: Random): Strip {
  const rhythm = new Rhythm(random);
  const sinus = new Sinus(random);
  const ectopic = new Ectopic(random, 'ventricle');
  const normal = (rr: number): Beat => ({ rr, waves: sinus.waves(random, rr) });
  // The beats around a paced beat are paced as well, most of the time.
  const pacer = new Ectopic(random, 'pacemaker');
  const paced = kind === 'Q' && random.uniform() < 0.7;
  const neighbour = (rr: number): Beat => (paced ? { rr, waves: pacer.waves(random, rr) } : normal(rr));

  const first = neighbour(rhythm.next());
  const before = neighbour(rhythm.next());
  const usual = rhythm.next();
  const target = ((): Beat => {
    switch (kind) {
      case 'N':
        return normal(usual);
      case 'S':
        return premature(usual, sinus, random);
      case 'V': {
        const rr = usual * between(random, 0.5, 0.98);
        return { rr, waves: ectopic.waves(random, rr) };
      }
      case 'F': {
        const rr = usual * between(random, 0.82, 1);
        const share = between(random, 0.3, 0.72);
        return { rr, waves: blendWaves(sinus.waves(random, rr), ectopic.waves(random, rr), share) };
      }
      case 'Q':
        return { rr: usual, waves: pacer.waves(random, usual) };
    }
  })();
  // An early beat is followed by a pause, which makes up for it in full after a ventricular one.
  const early = Math.max(usual - target.rr, 0);
  const pause = kind === 'S' ? between(random, 0, 0.6) * early : early;
  const after = neighbour(rhythm.next() + pause);
  return { beats: [first, before, target, after], target: 2 };
}

/** RR intervals with the two peaks of their spectrum (section III of the paper): near 0.1 Hz and near 0.25 Hz. */
class Rhythm {
  readonly #random: Random;
  readonly #mean: number;
  readonly #low: number;
  readonly #high: number;
  readonly #lowPhase: number;
  readonly #highPhase: number;
  #time = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#mean = 60 / between(random, 52, 100);
    this.#low = 0.03 * spread(random, 0.4);
    this.#high = 0.02 * spread(random, 0.4);
    this.#lowPhase = between(random, 0, 2 * Math.PI);
    this.#highPhase = between(random, 0, 2 * Math.PI);
  }

  /** Seconds to the next beat. */
  next(): number {
    const low = this.#low * Math.sin(2 * Math.PI * 0.1 * this.#time + this.#lowPhase);
    const high = this.#high * Math.sin(2 * Math.PI * 0.25 * this.#time + this.#highPhase);
    const rr = this.#mean * (1 + low + high + 0.01 * this.#random.normal());
    this.#time += rr;
    return rr;
  }
}

/** The shape of a subject's conducted beats: Table I, narrowed to a normal QRS, with the subject's own proportions. */
class Sinus {
  readonly #base: readonly Wave[];

  constructor(random: Random) {
    const block = random.uniform() < 0.1;
    const qrs = (block ? between(random, 1.2, 1.7) : 0.78) * spread(random, 0.1);
    const scale = (wave: Wave, height: number, time: number, width: number): Wave => ({
      height: wave.height * height,
      time: wave.time * time,
      width: wave.width * width,
    });
    const flat = random.uniform() < 0.15;
    const tHeight = block
      ? between(random, -1.2, 0.4)
      : flat
        ? between(random, -0.6, 0.3)
        : 0.8 * spread(random, 0.35);
    const faint = random.uniform() < 0.04 ? 0.4 : 1;
    this.#base = [
      scale(P, 0.6 * faint * spread(random, 0.3), spread(random, 0.08), 0.7 * spread(random, 0.12)),
      scale(Q, 0.8 * spread(random, 0.5), qrs, qrs),
      scale(R, spread(random, 0.2), 1, qrs),
      scale(S, spread(random, 0.5), qrs, qrs),
      scale(T, tHeight, 1.08 * spread(random, 0.07), 0.85 * spread(random, 0.12)),
    ];
  }

  /** The waves of one beat; the T wave follows the rate as the square root of RR (Bazett). */
  waves(random: Random, rr: number): Wave[] {
    const rate = Math.sqrt(rr);
    return this.#base.map((wave, i) => jitter(random, i === 4 ? { ...wave, time: wave.time * rate } : wave));
  }
}

/** The shape of a subject's wide beats, which start in a ventricle: by themselves, or by a pacemaker's spike. */
class Ectopic {
  readonly #base: readonly Wave[];

  constructor(random: Random, origin: 'ventricle' | 'pacemaker') {
    const wide = between(random, 0.022, 0.042);
    const sign = random.uniform() < (origin === 'ventricle' ? 0.75 : 0.5) ? 1 : -1;
    const height = sign * 1.35 * spread(random, 0.25);
    const waves: Wave[] = [
      { height, time: 0, width: wide },
      {
        height: -height * between(random, 0.1, 0.55),
        time: wide * between(random, 2.2, 3),
        width: wide * 0.9,
      },
      {
        height: -height * between(random, 0.15, 0.5),
        time: between(random, 0.27, 0.37),
        width: between(random, 0.05, 0.08),
      },
    ];
    if (random.uniform() < 0.3) {
      waves.push({ height: height * between(random, 0.2, 0.5), time: -1.6 * wide, width: wide * 0.6 });
    }
    if (origin === 'pacemaker') {
      const spike = (random.uniform() < 0.5 ? 1 : -1) * between(random, 0.18, 0.9);
      waves.push({
        height: spike,
        time: -wide * 2 - between(random, 0.01, 0.06),
        width: between(random, 0.0022, 0.004),
      });
    }
    this.#base = waves;
  }

  /** The waves of one beat; the third is the T wave. */
  waves(random: Random, rr: number): Wave[] {
    const rate = Math.sqrt(Math.min(rr, 1));
    return this.#base.map((wave, i) => jitter(random, i === 2 ? { ...wave, time: wave.time * rate } : wave));
  }
}

/** An early beat from the atria: normal QRS, P wave absent, inverted or close to the QRS. */
function premature(usual: number, sinus: Sinus, random: Random): Beat {
  const rr = Math.max(usual * between(random, 0.5, 0.82), 0.34);
  const [p, ...rest] = sinus.waves(random, rr) as [Wave, ...Wave[]];
  const kind = random.uniform();
  if (kind < 0.4) return { rr, waves: rest };
  if (kind < 0.75)
    return { rr, waves: [{ ...p, height: -p.height, time: p.time * between(random, 0.6, 1) }, ...rest] };
  return {
    rr,
    waves: [
      { ...p, height: p.height * between(random, 0.3, 0.7), time: p.time * between(random, 0.55, 0.8) },
      ...rest,
    ],
  };
}

/** Two wave fronts at once: their fields add up. */
function blendWaves(a: readonly Wave[], b: readonly Wave[], share: number): Wave[] {
  const scaled = (waves: readonly Wave[], by: number): Wave[] =>
    waves.map((wave) => ({ ...wave, height: wave.height * by }));
  // The atria beat as always, so that the P wave keeps its height.
  return [...a.slice(0, 1), ...scaled(a.slice(1), 1 - share), ...scaled(b, share)];
}

/** From beat to beat the same wave differs a little. */
function jitter(random: Random, wave: Wave): Wave {
  return {
    height: wave.height * (1 + 0.06 * random.normal()),
    time: wave.time * (1 + 0.02 * random.normal()),
    width: wave.width * spread(random, 0.04),
  };
}

/** A log-normal factor around 1. */
function spread(random: Random, sigma: number): number {
  return Math.exp(sigma * random.normal());
}

function between(random: Random, low: number, high: number): number {
  return low + (high - low) * random.uniform();
}
