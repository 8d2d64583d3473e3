// Arrays that hold rows of equal length one after the other: samples of a dataset, scores of classes.

/** Rows `[first, first + count)` of an array of `rows` rows, sharing its memory. */
export function rowRange(data: Float32Array, rows: number, first: number, count = 1): Float32Array {
  const length = rows === 0 ? 0 : data.length / rows;
  return data.subarray(first * length, (first + count) * length);
}

/** Copies of the rows at `indices` of an array of `rows` rows, in that order. */
export function rowsAt(
  data: Float32Array,
  rows: number,
  indices: ArrayLike<number>,
): Float32Array<ArrayBuffer> {
  const length = rows === 0 ? 0 : data.length / rows;
  const result = new Float32Array(indices.length * length);
  for (let to = 0; to < indices.length; to++) {
    result.set(rowRange(data, rows, indices[to] as number), to * length);
  }
  return result;
}

/** Arrays one behind the other. */
export function joinedRows(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const result = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
