// How numbers that a network reads are drawn: as an image, as traces, or as a list.
import type { InputContract } from '../../data/index.ts';

/** Whether numbers are an image, and where its channels are; otherwise traces, whose leads may come last. */
export interface DrawnAs {
  readonly isImage: boolean;
  readonly isLast: boolean;
}

/** @param isSignal whether the data is known to be recordings */
export function drawnAs(isSignal: boolean, shape: readonly number[], contract: InputContract = {}): DrawnAs {
  const [a = 1, b = 1, c = 1] = shape;
  const isCount = (axis: number) => axis === 1 || axis === 3;
  const { layout } = contract.image ?? {};
  const isFirst = isCount(a) && b > 1 && c > 1 && layout !== 'NHWC';
  const isLast = !isFirst && isCount(c) && a > 1 && b > 1 && layout !== 'NCHW';
  const said = isSignal || contract.signal?.leads !== undefined;
  if (!said && shape.length === 3 && (isFirst || isLast)) return { isImage: true, isLast };
  // Traces are the shorter axis, unless the contract says it.
  const [rows = 1, columns = 1] = shape.filter((axis) => axis !== 1);
  const { layout: leads } = contract.signal ?? {};
  return { isImage: false, isLast: leads ? leads === 'leads-last' : columns > 1 && columns < rows };
}
