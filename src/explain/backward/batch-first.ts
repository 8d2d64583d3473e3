// Moves the samples of a value to its first axis, whatever axis they lie on.
import { type BatchAxis, type GraphBuilder, ints } from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';

/** A value as `[batch, ...]`, one row for each sample. */
export interface BatchFirst {
  readonly value: string;
  /** All axes; the first stands for the batch, whatever its size is here. */
  readonly shape: readonly number[];
  readonly channelAxis: number;
  /** Axes that were merged with the batch: slices of a volume, leads. */
  readonly merged: readonly number[];
}

/**
 * Moves the samples of a value to its first axis. Whatever shares their axis (slices of a volume, leads) becomes an
 * axis of its own. A value that has its samples first already is returned unchanged.
 * @param shape of the value, at any batch size
 * @throws BedsideError E_UNSUPPORTED where samples and channels share an axis
 */
export function batchFirst(
  builder: GraphBuilder,
  value: string,
  { axis, before, after }: BatchAxis,
  shape: readonly number[],
  channelAxis: number,
): BatchFirst {
  if (axis === channelAxis) {
    throw new BedsideError('E_UNSUPPORTED', `'${value}' has its samples on the axis of its channels`, {
      hint: 'export the model with the batch on an axis of its own',
    });
  }
  if (axis === 0 && before * after === 1) return { value, shape, channelAxis, merged: [] };
  const [outer, inner] = [[before], [after]].map((sizes) => sizes.filter((size) => size > 1)) as [
    number[],
    number[],
  ];
  const split = [...shape.slice(0, axis), ...outer, -1, ...inner, ...shape.slice(axis + 1)];
  const batch = axis + outer.length;
  const apart =
    split.length === shape.length
      ? value
      : builder.node('Reshape', [value, builder.ints(split)], {}, 'apart');
  const perm = [batch, ...[...split.keys()].filter((at) => at !== batch)];
  const sorted = perm.every((from, at) => from === at);
  return {
    value: sorted ? apart : builder.node('Transpose', [apart], { perm: ints(perm) }, 'samples_first'),
    shape: perm.map((from) => split[from] as number),
    merged: [...outer.keys(), ...inner.keys()].map((_, at) =>
      perm.indexOf(axis + at + (at < outer.length ? 0 : 1)),
    ),
    channelAxis: perm.indexOf(channelAxis < axis ? channelAxis : channelAxis + split.length - shape.length),
  };
}
