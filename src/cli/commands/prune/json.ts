// What `prune` wrote, for programs.

import type { PruneResult } from '../../../app/prune/prune.ts';
import type { PruneBundleResult } from '../../../app/prune/prune-bundle.ts';
import { hasClasses } from '../../../util/index.ts';

/** The fields of `--json`. Times that were not measured are null. */
export function prunedJson(result: PruneResult): object {
  const { model: _, labelled: __, remarks: ___, skipped: ____, signals: _____, ...fields } = result;
  return hasClasses(fields.task) ? fields : withoutAccuracies(fields);
}

/** Accuracies are those of classes. */
function withoutAccuracies(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !/accuracy/i.test(name)));
}

/** The fields of `--json` of a bundle at chosen levels. */
export function bundlePrunedJson({ model: _, ...fields }: PruneBundleResult): object {
  return fields;
}
