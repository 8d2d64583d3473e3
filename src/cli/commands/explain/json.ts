// An explanation for programs.
import type { Explanation } from '../../../app/explain/explanation.ts';
import { explanationJson } from '../../../app/explain/scores-file.ts';

/** The fields of `--json`. Values per sample stand among them only if no file holds them. */
export function explanationFields(explanation: Explanation): object {
  const { out, perSample: _, ...scores } = explanation;
  return out === undefined ? explanationJson(explanation) : { ...explanationJson(scores), out };
}
