// Attributions from several inputs for one sample: points on a path from a reference, or noisy copies.
import type { Random } from '../../util/internal.ts';

/** The reference of a sample: zeros, the mean of the calibration samples, or one of them drawn at random. */
export type ReferenceKind = 'zero' | 'mean' | 'sample';

/** Several inputs in place of one sample. */
export interface SamplingPath {
  readonly count: number;
  /** Writes `[count, ...sample]`. */
  fill(sample: Float32Array, reference: Float32Array, random: Random, out: Float32Array): void;
  /** The attribution of the input from the gradients at the points, `[...sample]`. */
  combine(points: Float32Array, gradients: Float32Array): Float32Array;
}

/** Integrated gradients (Sundararajan et al., ICML 2017): `steps` intervals on the straight line from the reference. */
export function straightPath(steps: number): SamplingPath {
  const count = steps + 1;
  return {
    count,
    fill(sample, reference, _random, out) {
      for (let k = 0; k < count; k++) {
        const t = k / steps;
        for (let i = 0; i < sample.length; i++) {
          const from = reference[i] as number;
          out[k * sample.length + i] = from + t * ((sample[i] as number) - from);
        }
      }
    },
    combine(points, gradients) {
      const size = points.length / count;
      const result = new Float32Array(size);
      for (let k = 0; k < steps; k++) {
        for (let i = 0; i < size; i++) {
          const [a, b] = [k * size + i, (k + 1) * size + i];
          const slope = ((gradients[a] as number) + (gradients[b] as number)) / 2;
          result[i] = (result[i] as number) + slope * ((points[b] as number) - (points[a] as number));
        }
      }
      return result;
    },
  };
}

/**
 * SmoothGrad (Smilkov et al., 2017): `draws` copies with Gaussian noise, whose standard deviation is `spread` times the
 * sample's range.
 */
export function noisyCopies(draws: number, spread = 0.15): SamplingPath {
  return {
    count: draws,
    fill(sample, _reference, random, out) {
      let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      for (const value of sample) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
      const deviation = spread * (high - low);
      for (let i = 0; i < out.length; i++) {
        out[i] = (sample[i % sample.length] as number) + deviation * random.normal();
      }
    },
    combine(points, gradients) {
      const size = points.length / draws;
      const result = new Float32Array(size);
      for (let i = 0; i < gradients.length; i++) {
        result[i % size] = (result[i % size] as number) + (gradients[i] as number) / draws;
      }
      return result;
    },
  };
}
