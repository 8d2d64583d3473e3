// What `prune` wrote, for programs.

import type { PruneResult } from '../../../app/prune.ts';
import type { PruneBundleResult } from '../../../app/prune-bundle.ts';

/** The fields of `--json`. */
export function prunedJson(result: PruneResult): object {
  const { model: _, labelled: __, remarks: ___, skipped: ____, signals: _____, ...fields } = result;
  return fields;
}

/** The fields of `--json` of a bundle at chosen levels. */
export function bundlePrunedJson({ model: _, ...fields }: PruneBundleResult): object {
  return fields;
}
