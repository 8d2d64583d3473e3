// Distances between what two networks answer, for every task.
import { channelsOf, type ScoreForm, softmax } from '../util/internal.ts';
import { klDivergence, squaredDifference } from './probability-distance.ts';

/**
 * The squared difference of the probabilities, summed over samples: of the classes, of each label, at each position of a
 * mask. Of values and embeddings that of the values themselves.
 * @param a scores of the first network, `[n, ...outputShape]`
 */
export function scoreChange(form: ScoreForm, a: Float32Array, b: Float32Array): number {
  if (form.task === 'single-label') return squaredDifference(a, b, form.scores);
  const [p, q] = [probabilities(form, a), probabilities(form, b)];
  return p.reduce((sum, value, i) => sum + (value - (q[i] as number)) ** 2, 0);
}

/**
 * The Kullback-Leibler divergence of the second network's probabilities from the first's, summed over samples; of values
 * and embeddings their squared difference.
 */
export function scoreDivergence(form: ScoreForm, a: Float32Array, b: Float32Array): number {
  if (form.task === 'single-label') return klDivergence(a, b, form.scores);
  if (form.task === 'regression' || form.task === 'embedding') return scoreChange(form, a, b);
  const [p, q] = [probabilities(form, a), probabilities(form, b)];
  const part = (x: number, y: number): number => (x > 0 ? x * Math.log(x / Math.max(y, 1e-12)) : 0);
  const sum = p.reduce((total, x, i) => {
    const y = q[i] as number;
    return total + part(x, y) + (form.exclusive ? 0 : part(1 - x, 1 - y));
  }, 0);
  return Math.max(sum, 0);
}

/** Scores as probabilities, of exclusive classes of a mask at each position; values as they are. */
function probabilities(form: ScoreForm, scores: Float32Array): Float64Array {
  if (form.task === 'regression' || form.task === 'embedding' || form.probabilities) {
    return Float64Array.from(scores);
  }
  if (!form.exclusive) return Float64Array.from(scores, (score) => 1 / (1 + Math.exp(-score)));
  const channels = channelsOf(form);
  const positions = form.scores / channels;
  const result = new Float64Array(scores.length);
  const column = new Float64Array(channels);
  for (let first = 0; first < scores.length; first += form.scores) {
    for (let at = first; at < first + positions; at++) {
      for (let k = 0; k < channels; k++) column[k] = scores[at + k * positions] as number;
      softmax(column).forEach((value, k) => {
        result[at + k * positions] = value;
      });
    }
  }
  return result;
}
