// Merges the outputs of a stage's segments into one tensor.
import { type FloatTensor, tensor } from '../../engine/index.ts';
import { sizeOf } from '../../onnx/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import { type Arrived, floatsOf } from '../protocol/rounded-tensor.ts';
import type { MergeRule } from './stage-model.ts';

/**
 * The whole tensor from its parts. They are merged in the order of their segments, so that every receiver gets the same
 * sums. A single part is returned as it is.
 * @throws BedsideError E_DEVICE for parts that do not fit together
 */
export function mergeSegments(parts: readonly FloatTensor[], rule: MergeRule): FloatTensor {
  const first = must(parts[0], 'a part');
  if (parts.length === 1) return first;
  if (rule.kind === 'sum') return summed(first, parts);
  const { data, dims } = concatenated(parts, rule.axis, (length) => new Float32Array(length));
  return tensor(data, dims);
}

/**
 * The same of parts that may have come as integers. Parts beside each other stay integers if all are of one scale.
 * @throws BedsideError as `mergeSegments`
 */
export function mergeArrived(parts: readonly Arrived[], rule: MergeRule): Arrived {
  const first = must(parts[0], 'a part');
  if (parts.length === 1) return first;
  const integers = parts.flatMap((part) => (part.type === 'uint8' ? [part] : []));
  const [one] = integers;
  const isOne = integers.every(({ scale, zero }) => scale === one?.scale && zero === one.zero);
  if (!one || rule.kind === 'sum' || integers.length < parts.length || !isOne) {
    return mergeSegments(parts.map(floatsOf), rule);
  }
  const { data, dims } = concatenated(integers, rule.axis, (length) => new Uint8Array(length));
  return { ...one, data, dims };
}

function summed(first: FloatTensor, parts: readonly FloatTensor[]): FloatTensor {
  const data = first.data.slice();
  for (const part of parts.slice(1)) {
    if (part.dims.join() !== first.dims.join()) throw unfit(first, part);
    for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) + (part.data[i] as number);
  }
  return tensor(data, first.dims);
}

interface Part<T> {
  readonly dims: readonly number[];
  readonly data: T;
}

function concatenated<T extends Float32Array | Uint8Array>(
  parts: readonly Part<T>[],
  axis: number,
  make: (length: number) => T,
): Part<T> {
  const first = must(parts[0], 'a part');
  const inner = sizeOf(first.dims.slice(axis + 1));
  const outer = sizeOf(first.dims.slice(0, axis));
  const sizes = parts.map((part) => {
    const same = first.dims.every((dim, at) => at === axis || dim === part.dims[at]);
    if (!same || part.dims.length !== first.dims.length) throw unfit(first, part);
    return (part.dims[axis] ?? 0) * inner;
  });
  const row = sizes.reduce((sum, size) => sum + size, 0);
  const data = make(outer * row);
  let offset = 0;
  parts.forEach((part, at) => {
    const size = sizes[at] ?? 0;
    for (let o = 0; o < outer; o++) {
      data.set(part.data.subarray(o * size, (o + 1) * size), o * row + offset);
    }
    offset += size;
  });
  return { data, dims: first.dims.map((dim, at) => (at === axis ? row / inner : dim)) };
}

function unfit(first: Part<unknown>, part: Part<unknown>): BedsideError {
  return new BedsideError(
    'E_DEVICE',
    `parts of [${first.dims.join(', ')}] and [${part.dims.join(', ')}] do not fit together`,
    { hint: 'a device does not compute what the plan says' },
  );
}
