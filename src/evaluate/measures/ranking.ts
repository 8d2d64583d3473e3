// How well scores put the positive samples before the others.

/**
 * The area under the ROC curve: the share of pairs of a positive and a negative sample in which the positive one has the
 * higher score; ties count half (Mann-Whitney, by midranks). NaN unless both occur.
 * @param positive 1 for a positive sample, 0 for another
 */
export function auroc(scores: ArrayLike<number>, positive: ArrayLike<number>): number {
  const { length } = scores;
  const order = ascending(scores);
  let positives = 0;
  let ranks = 0;
  for (let first = 0; first < length; ) {
    let end = first + 1;
    while (end < length && scores[order[end] as number] === scores[order[first] as number]) end++;
    // Ranks count from 1; all of a tie have their mean.
    const rank = (first + 1 + end) / 2;
    for (let i = first; i < end; i++) {
      if (!positive[order[i] as number]) continue;
      positives++;
      ranks += rank;
    }
    first = end;
  }
  const negatives = length - positives;
  return (ranks - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/**
 * Average precision: the sum, over thresholds from the highest score down, of precision x the rise of recall; samples
 * with equal scores share a threshold (no interpolation). NaN without positive samples.
 */
export function averagePrecision(scores: ArrayLike<number>, positive: ArrayLike<number>): number {
  const order = ascending(scores).reverse();
  let [found, right, sum] = [0, 0, 0];
  for (let first = 0; first < order.length; ) {
    let end = first;
    let rise = 0;
    while (end < order.length && scores[order[end] as number] === scores[order[first] as number]) {
      if (positive[order[end] as number]) rise++;
      end++;
    }
    found = end;
    right += rise;
    sum += rise * (right / found);
    first = end;
  }
  return sum / right;
}

/** Indices by ascending value. */
function ascending(values: ArrayLike<number>): Uint32Array {
  return Uint32Array.from({ length: values.length }, (_, i) => i).sort(
    (a, b) => (values[a] as number) - (values[b] as number),
  );
}
