// Follows samples when elements keep their order and only the shape changes.
import { sizeOf } from '../graph.ts';
import type { PlaceContext } from './context.ts';
import type { BatchAxis } from './place.ts';

/** Reshape, Flatten, Squeeze and Unsqueeze. */
export function reshaped(context: PlaceContext): BatchAxis | undefined {
  const place = context.place(0);
  if (!place) return undefined;
  const from = context.shapes(0);
  const to = context.outputShapes(0);
  const found = context.samples.map((samples, run) =>
    throughReshape(from[run] as readonly number[], place, to[run] as readonly number[], samples),
  );
  const [first] = found;
  const agree = first && found.every((other) => JSON.stringify(other) === JSON.stringify(first));
  return agree ? first : context.lose('spreads the samples over several axes');
}

/**
 * The axis of the samples after a reshape. An element at flat index f belongs to sample floor(f / inner) mod samples.
 * That is a function of one new axis alone when what lies inside the new axis divides `inner`, and the axis holds whole
 * runs of all samples. With two samples or more there is one such axis at most.
 */
function throughReshape(
  from: readonly number[],
  { axis, after }: BatchAxis,
  to: readonly number[],
  samples: number,
): BatchAxis | undefined {
  const inner = after * sizeOf(from.slice(axis + 1));
  for (const [next, width] of to.entries()) {
    const behind = inner / sizeOf(to.slice(next + 1));
    const before = width / (samples * behind);
    if (Number.isInteger(behind) && behind >= 1 && Number.isInteger(before) && before >= 1) {
      return { kind: 'axis', axis: next, before, after: behind };
    }
  }
  return undefined;
}
