// Linear scales with round ticks, and the placement of labels without overlap.

/** Maps a domain onto pixels. */
export interface Scale {
  (value: number): number;
  readonly ticks: readonly number[];
  readonly low: number;
  readonly high: number;
}

/**
 * A linear scale over the round numbers around `[low, high]`, with about six ticks. The values are fractions; the scale
 * stays inside [0, 1] if they do.
 * @param from pixel of the low end
 * @param to pixel of the high end; may be less than `from`
 */
export function linearScale(low: number, high: number, from: number, to: number): Scale {
  const step = stepOf(high - low);
  // The small tolerance keeps 0.30000000000000004 from needing one more step.
  let first = Math.floor(low / step + 1e-9);
  let last = Math.ceil(high / step - 1e-9);
  if (first === last) {
    if (low > 0) first--;
    if (high < 1) last++;
  }
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toFixed(6)));
  const [start, end] = [first * step, last * step];
  const scale = (value: number): number => from + ((value - start) / (end - start)) * (to - from);
  return Object.assign(scale, { ticks, low: start, high: end });
}

/** The step: 0.01, 0.02, 0.05, 0.1 or 0.2, so that the span has at most seven steps. */
function stepOf(span: number): number {
  return [0.01, 0.02, 0.05, 0.1].find((step) => span / step <= 6) ?? 0.2;
}

/**
 * Moves positions apart: at least `gap` between neighbours, inside `[low, high]` if they fit, in the same order, and as
 * near to the wanted ones as possible (least squares). Merges colliding neighbours into blocks, as isotonic regression does.
 */
export function spread(wanted: readonly number[], gap: number, low: number, high: number): number[] {
  const order = wanted.map((_, i) => i).sort((a, b) => (wanted[a] as number) - (wanted[b] as number));
  const blocks: { start: number; count: number; sum: number }[] = [];
  const place = (block: { count: number; sum: number }): number => {
    const free = block.sum / block.count;
    const end = high - (block.count - 1) * gap;
    return Math.max(low, Math.min(free, end));
  };
  for (const index of order) {
    let block = { start: 0, count: 1, sum: wanted[index] as number };
    block.start = place(block);
    for (
      let previous = blocks.at(-1);
      previous && previous.start + previous.count * gap > block.start;
      previous = blocks.at(-1)
    ) {
      blocks.pop();
      // A later label wants its own position minus its distance from the first label of the block.
      const sum = previous.sum + block.sum - block.count * previous.count * gap;
      block = { start: 0, count: previous.count + block.count, sum };
      block.start = place(block);
    }
    blocks.push(block);
  }
  const placed = blocks.flatMap(({ start, count }) =>
    Array.from({ length: count }, (_, i) => start + i * gap),
  );
  const result = new Array<number>(wanted.length);
  order.forEach((index, rank) => {
    result[index] = placed[rank] as number;
  });
  return result;
}
