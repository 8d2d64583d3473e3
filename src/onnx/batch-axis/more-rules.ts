// Where operators outside the rule tables hold their samples: those that models carry through untouched.
import { intAttribute, intsAttribute } from '../ops.ts';
import { fromAxis } from './attention-rules.ts';
import type { PlaceContext } from './context.ts';
import { type BatchAxis, moved } from './place.ts';
import {
  alongAxis,
  argument,
  broadcasting,
  type PlaceRule,
  perRow,
  pooled,
  resized,
  same,
  softmax,
} from './rules.ts';

/** Batch and channels apart. */
const perChannel: PlaceRule = (context) => {
  const place = context.place(0);
  if (place && place.axis !== 0) context.mix();
  return place;
};

const meanVariance: PlaceRule = (context) => {
  const place = context.place(0);
  const axes = intsAttribute(context.node, 'axes') ?? [0, 2, 3];
  if (place && axes.some((axis) => context.axis(axis, context.rank(0)) === place.axis)) context.mix();
  return place;
};

const tiled: PlaceRule = (context) => {
  const place = context.place(0);
  if (!place) return undefined;
  const repeats = context.ints(1, 'repeats')?.[place.axis];
  if (repeats === undefined) return context.lose('is repeated a number of times that is not known');
  return { ...place, before: place.before * repeats };
};

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
const BROADCASTING = ['BitShift', 'BitwiseAnd', 'BitwiseOr', 'BitwiseXor', 'Mod'] as const;

/** Rules by operator. */
export const MORE_PLACE_RULES: ReadonlyMap<string, PlaceRule> = new Map<string, PlaceRule>([
  ...ELEMENTWISE.map((op): [string, PlaceRule] => [op, same]),
  ...BROADCASTING.map((op): [string, PlaceRule] => [op, broadcasting]),
  ['ArgMax', argument],
  ['ArgMin', argument],
  ['CumSum', (context) => cumulative(context)],
  ['DequantizeLinear', quantised],
  ['GatherElements', picked],
  ['GlobalLpPool', pooled],
  ['GroupNormalization', perChannel],
  ['Hardmax', softmax],
  ['InstanceNormalization', perChannel],
  ['LpNormalization', alongAxis('axis', -1)],
  ['LpPool', pooled],
  ['MeanVarianceNormalization', meanVariance],
  ['OneHot', oneHot],
  ['QuantizeLinear', quantised],
  ['RMSNormalization', fromAxis],
  ['Resize', resized],
  ['ScatterElements', picked],
  ['Size', () => undefined],
  ['SpaceToDepth', perRow],
  ['Tile', tiled],
  ['TopK', alongAxis('axis', -1)],
  ['Trilu', (context) => trilu(context)],
  ['Upsample', resized],
]);

function cumulative(context: PlaceContext): BatchAxis | undefined {
  const place = context.place(0);
  if (!place) return undefined;
  const [axis] = context.ints(1, 'axis') ?? [];
  if (axis === undefined) return context.lose('works along an axis that is computed as it runs');
  context.apart(place, context.axis(axis, context.rank(0)));
  return place;
}

function trilu(context: PlaceContext): BatchAxis | undefined {
  const place = context.place(0);
  if (place && place.axis >= context.rank(0) - 2) context.mix();
  return place;
}
