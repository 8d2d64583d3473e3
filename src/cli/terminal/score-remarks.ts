// Remarks on a ranking: beside the table of its scores as text, and in two fields as JSON.
import type { Ranking } from '../../prune/index.ts';
import { plainLine } from '../../util/index.ts';
import type { Output } from './output.ts';

/** Under --json, adds each as a sentence to `remarks`, and returns all of them in a field of their own. */
export function jsonScoreRemarks(
  output: Output,
  remarks: Ranking['remarks'],
): { readonly scoreRemarks?: Ranking['remarks'] } {
  if (output.json) for (const { text } of remarks) output.remark(text);
  return remarks.length > 0 ? { scoreRemarks: remarks } : {};
}

/** One line for each. */
export function describeScoreRemarks(remarks: Ranking['remarks']): string[] {
  return remarks.map(({ text }) => plainLine(text));
}
