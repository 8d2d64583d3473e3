// What `evaluate` found, for programs.
import type { EvaluateResult } from '../../../app/evaluate.ts';

/** The fields of `--json`. */
export function evaluatedJson({ perClass: _, batch: __, ...fields }: EvaluateResult): object {
  return fields;
}
