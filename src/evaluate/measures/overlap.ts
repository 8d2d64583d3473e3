// How far what was found covers what is there.

/** Counts of positions or samples. */
export interface Overlap {
  /** Found and there. */
  readonly both: number;
  /** Found in all. */
  readonly found: number;
  /** There in all. */
  readonly there: number;
}

/** Counts of 0 and 1, every `stride`th from `from`. */
export function overlapOf(found: ArrayLike<number>, there: ArrayLike<number>, from = 0, stride = 1): Overlap {
  let [both, a, b] = [0, 0, 0];
  for (let i = from; i < found.length; i += stride) {
    const [x, y] = [found[i] ? 1 : 0, there[i] ? 1 : 0];
    both += x & y;
    a += x;
    b += y;
  }
  return { both, found: a, there: b };
}

/** 2 both / (found + there): the Dice coefficient of masks, and F1 of labels. NaN where both are empty. */
export function dice({ both, found, there }: Overlap): number {
  return (2 * both) / (found + there);
}

/** both / (found or there): intersection over union, the Jaccard index. NaN where both are empty. */
export function iou({ both, found, there }: Overlap): number {
  return both / (found + there - both);
}
