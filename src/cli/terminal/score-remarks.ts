// What is to be known of a ranking, where its scores are told: beside the table for people, in two fields for programs.
import type { ScoreRemark } from '../../prune/index.ts';
import { plainLine } from '../../util/index.ts';
import type { Output } from './output.ts';

/** Under --json: each as a sentence among `remarks`, and all as they are in the field that is returned. */
export function jsonScoreRemarks(
  output: Output,
  remarks: readonly ScoreRemark[],
): { readonly scoreRemarks?: readonly ScoreRemark[] } {
  if (output.json) for (const { text } of remarks) output.remark(text);
  return remarks.length > 0 ? { scoreRemarks: remarks } : {};
}

/** A line each. */
export function describeScoreRemarks(remarks: readonly ScoreRemark[]): string[] {
  return remarks.map(({ text }) => plainLine(text));
}
