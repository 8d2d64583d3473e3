// Where recurrent layers hold their samples.
import { intAttribute } from '../ops.ts';
import type { PlaceContext } from './context.ts';
import { type BatchAxis, moved } from './place.ts';

/** Recurrent layers: `[time, batch, in]` to `[time, directions, batch, out]`, or batch first with `layout` 1. */
export function recurrent(context: PlaceContext): readonly BatchAxis[] | undefined {
  const layout = intAttribute(context.node, 'layout', 0);
  const place = context.place(0);
  const states = [5, 6].map((index) => context.place(index));
  const lengths = context.place(4);
  if (place && place.axis !== (layout === 0 ? 1 : 0)) context.mix();
  const found = context.agreed([place, ...states, lengths && moved(lengths, layout === 0 ? 1 : 0)]);
  if (!found) return undefined;
  if (layout !== 0) return [found, found, found];
  return [moved(found, 2), moved(found, 1), moved(found, 1)];
}
