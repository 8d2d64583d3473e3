// What `evaluate` found, for programs.

import type { EvaluateResult } from '../../../app/evaluate.ts';
import { hasClasses } from '../../../util/index.ts';

/** The fields of `--json`. Accuracy and recall are those of classes, and left out where there are none. */
export function evaluatedJson({ perClass: _, batch: __, ...fields }: EvaluateResult): object {
  if (hasClasses(fields.task)) return fields;
  const { accuracy: ___, balancedAccuracy: ____, recall: _____, ...others } = fields;
  return others;
}
