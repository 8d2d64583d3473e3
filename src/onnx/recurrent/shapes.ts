// Output shapes of recurrent layers.
import { intAttribute } from '../ops.ts';
import type { ShapeContext } from '../shapes/context.ts';
import { directionsOf } from './recurrent-layer.ts';

/** All steps, the last state, and the last cell of an LSTM, for both layouts. */
export function recurrent(context: ShapeContext): number[][] {
  const [x, r] = [context.shape(0), context.shape(2)];
  if (x.length !== 3 || r.length !== 3) throw context.wrong(`its input is [${x}], expected rank 3`);
  const hidden = r[2] as number;
  const directions = directionsOf(context.node);
  const [first, second, features] = x as [number, number, number];
  const inputs = context.shape(1)[2];
  if (inputs !== features || r[0] !== directions) {
    throw context.wrong(`weights for ${inputs} features in ${r[0]} directions do not fit [${x}]`);
  }
  if (intAttribute(context.node, 'layout', 0) === 0) {
    const state = [directions, second, hidden];
    return [[first, directions, second, hidden], state, state];
  }
  const state = [first, directions, hidden];
  return [[first, second, directions, hidden], state, state];
}
