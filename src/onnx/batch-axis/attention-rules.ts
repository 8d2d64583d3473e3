// Where the parts of attention hold their samples: products by letters, and normalisation from an axis on.
import { intAttribute, stringAttribute } from '../ops.ts';
import type { PlaceContext } from './context.ts';
import { type BatchAxis, moved } from './place.ts';

/** `ij,jk->ik`: the samples' letter must be the same in every operand that has samples, and stay. */
export function einsum(context: PlaceContext): BatchAxis | undefined {
  const equation = stringAttribute(context.node, 'equation', '').replaceAll(' ', '');
  const [left = '', right] = equation.split('->');
  if (right === undefined || equation.includes('.'))
    return context.lose('has an equation that is not read here');
  const letters = new Set<string>();
  const places = left.split(',').map((term, index) => {
    const place = context.place(index);
    const letter = place && term[place.axis];
    if (letter) letters.add(letter);
    return place && moved(place, right.indexOf(letter ?? ''));
  });
  if (letters.size > 1) context.lose('joins values that hold their samples on different axes');
  const found = context.agreed(places);
  if (found && found.axis < 0) context.mix();
  return found;
}

/** Everything from an axis on is normalised together. */
export function fromAxis(context: PlaceContext): BatchAxis | undefined {
  const place = context.place(0);
  if (place && place.axis >= context.axis(intAttribute(context.node, 'axis', -1), context.rank(0)))
    context.mix();
  return place;
}
