// Distances between the class probabilities of two networks.
import { softmax } from '../util/internal.ts';

/** The squared difference of the class probabilities, summed over samples. */
export function squaredDifference(a: Float32Array, b: Float32Array, classes: number): number {
  let sum = 0;
  for (let first = 0; first < a.length; first += classes) {
    const p = softmax(a.subarray(first, first + classes));
    const q = softmax(b.subarray(first, first + classes));
    p.forEach((value, k) => {
      sum += (value - (q[k] as number)) ** 2;
    });
  }
  return sum;
}

/**
 * The Kullback-Leibler divergence of the second network's class probabilities from the first's, summed over samples.
 */
export function klDivergence(a: Float32Array, b: Float32Array, classes: number): number {
  let sum = 0;
  for (let first = 0; first < a.length; first += classes) {
    const p = softmax(a.subarray(first, first + classes));
    const q = softmax(b.subarray(first, first + classes));
    // A floor keeps the divergence finite where one network rules a class out.
    p.forEach((value, k) => {
      if (value > 0) sum += value * Math.log(value / Math.max(q[k] as number, 1e-12));
    });
  }
  return Math.max(sum, 0);
}
