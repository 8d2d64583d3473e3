// What a bundle calls its classes or labels.
import type { BundleManifest } from '../../bundle/index.ts';
import { taskOf } from '../../bundle/internal.ts';

/** Names in the order of the scores, by the task or by the contract; undefined where nobody said them. */
export function classNames(
  bundle: Pick<BundleManifest, 'task' | 'model' | 'contract'>,
): readonly string[] | undefined {
  const { labels } = taskOf(bundle);
  const classes = bundle.contract?.classes;
  return labels ?? (Array.isArray(classes) ? classes.map(String) : undefined);
}
