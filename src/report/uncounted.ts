// The operators that a count of multiply-accumulates leaves out, in words: for every place that shows a count or a share of them.
import type { Uncounted } from '../onnx/internal.ts';
import { firstOf, plainLine } from '../util/index.ts';

/** More are told by their number alone. */
const SHOWN = 5;

/** One line that names the nodes whose multiply-accumulates are not known; none where all are. */
export function describeUncounted(uncounted: readonly Uncounted[] | undefined): string[] {
  if (!uncounted || uncounted.length === 0) return [];
  const names = uncounted.map(({ name, op }) => plainLine(`${op} '${name}'`));
  return [
    `not counted: ${firstOf(names, SHOWN)}. Their MACs are not known and count as 0: counts are too low, and shares are of the other nodes alone`,
  ];
}
