// Where operators outside the rule tables hold their samples: those that models carry through untouched.
import { intAttribute } from '../ops.ts';
import { fromAxis } from './attention-rules.ts';
import type { PlaceContext } from './context.ts';
import { type BatchAxis, moved } from './place.ts';
import { alongAxis, broadcasting, type PlaceRule, same, softmax } from './rules.ts';

/** Elements picked along one axis. */
const picked: PlaceRule = (context) => {
  const places = context.node.inputs.map((_, index) => context.place(index));
  const found = context.agreed(places);
  context.apart(found, context.axis(intAttribute(context.node, 'axis', 0), context.rank(0)));
  return found;
};

const oneHot: PlaceRule = (context) => {
  const place = context.place(0);
  if (!place) return undefined;
  const axis = context.axis(intAttribute(context.node, 'axis', -1), context.rank(0) + 1);
  return moved(place, place.axis >= axis ? place.axis + 1 : place.axis);
};

/** Scales along an axis, which stays. */
const quantised = (context: PlaceContext): BatchAxis | undefined => {
  const place = context.place(0);
  if (context.place(1)) context.mix();
  return place;
};

const ELEMENTWISE = ['BitwiseNot', 'CastLike', 'EyeLike'] as const;
const BROADCASTING = ['BitShift', 'BitwiseAnd', 'BitwiseOr', 'BitwiseXor'] as const;

/** Rules by operator. */
export const MORE_PLACE_RULES: ReadonlyMap<string, PlaceRule> = new Map<string, PlaceRule>([
  ...ELEMENTWISE.map((op): [string, PlaceRule] => [op, same]),
  ...BROADCASTING.map((op): [string, PlaceRule] => [op, broadcasting]),
  ['DequantizeLinear', quantised],
  ['GatherElements', picked],
  ['Hardmax', softmax],
  ['OneHot', oneHot],
  ['QuantizeLinear', quantised],
  ['RMSNormalization', fromAxis],
  ['ScatterElements', picked],
  ['TopK', alongAxis('axis', -1)],
  ['Trilu', (context) => trilu(context)],
]);

function trilu(context: PlaceContext): BatchAxis | undefined {
  const place = context.place(0);
  if (place && place.axis >= context.rank(0) - 2) context.mix();
  return place;
}
