// Where a value holds its samples.

import { BedsideError } from '../../util/index.ts';
import { sizeOf } from '../graph.ts';

/**
 * The samples lie along one axis: of its `before * N * after` positions, `(b * N + n) * after + a` belongs to sample n.
 * Alone on its axis a batch has `before` and `after` of 1; `[N * k, ...]` has `after` k (slices of a volume, one
 * network for each lead), `[k * N, ...]` has `before` k (time-major sequences flattened, inputs joined along the
 * batch).
 */
export interface BatchAxis {
  readonly kind: 'axis';
  readonly axis: number;
  readonly before: number;
  readonly after: number;
}

/** The node at which the samples are lost, as in messages, and the reason. */
export interface UnknownPlace {
  readonly kind: 'unknown';
  readonly node: string;
  readonly reason: string;
  /** Whether what one sample gets is known to depend on the others in its batch. */
  readonly mixes: boolean;
}

/** Where a value holds its samples: on an axis, nowhere (the same for every batch), or unknown. */
export type BatchPlace = BatchAxis | { readonly kind: 'none' } | UnknownPlace;

/** The batch alone on an axis. */
export const along = (axis: number): BatchAxis => ({ kind: 'axis', axis, before: 1, after: 1 });

/** The same samples on another axis. */
export const moved = (place: BatchAxis, axis: number): BatchAxis => ({ ...place, axis });

/** Whether nothing else lies on the axis of the samples. */
export function isAlone(place: BatchPlace): boolean {
  return place.kind === 'axis' && place.before * place.after === 1;
}

/** Whether the value is `[batch, ...]`, one position of the first axis for each sample. */
export function isBatchFirst(place: BatchPlace | undefined): boolean {
  return place?.kind === 'axis' && place.axis === 0 && isAlone(place);
}

/** Whether two values hold their samples alike. */
export function samePlace(a: BatchAxis, b: BatchAxis): boolean {
  return a.axis === b.axis && a.before === b.before && a.after === b.after;
}

const EXPORT_HINT =
  'export the model so that each sample is computed by itself; criteria that read weights alone (l1, l2) still work';

/**
 * The axis of a value's samples.
 * @param what the value in a message, such as "what layer 'conv1' gives"
 * @throws BedsideError E_UNSUPPORTED where they lie along no axis, saying which node is to blame
 */
export function batchAxisOf(
  places: ReadonlyMap<string, BatchPlace>,
  value: string,
  what = `'${value}'`,
  hint = EXPORT_HINT,
): BatchAxis {
  const place = places.get(value);
  if (place?.kind === 'axis') return place;
  const why =
    place?.kind === 'unknown'
      ? `since ${place.node} ${place.reason}`
      : place?.kind === 'none'
        ? 'since it does not depend on the input'
        : 'since no node makes it';
  throw new BedsideError('E_UNSUPPORTED', `which samples ${what} belongs to is not known, ${why}`, {
    hint,
  });
}

/** The part of one sample, laid out as the value of a batch of one. */
export function sampleOf(
  data: Float32Array,
  dims: readonly number[],
  { axis, before, after }: BatchAxis,
  sample: number,
): Float32Array {
  const size = dims[axis] ?? 1;
  const samples = size / (before * after);
  const inner = after * sizeOf(dims.slice(axis + 1));
  const outer = data.length / (samples * inner);
  if (outer === 1) return data.subarray(sample * inner, (sample + 1) * inner);
  const result = new Float32Array(outer * inner);
  for (let o = 0; o < outer; o++) {
    const from = (o * samples + sample) * inner;
    result.set(data.subarray(from, from + inner), o * inner);
  }
  return result;
}
