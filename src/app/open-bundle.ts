// Bundles as commands open them: what a bundle cannot vouch for is said.

import { type Bundle, openBundle, SEALED_VERSION } from '../bundle/index.ts';
import { describeUncounted } from '../report/index.ts';
import type { Journal } from './reporter.ts';

/**
 * Opens a bundle. Of one whose manifest has no hash of its own a remark says so: its times and accuracies may have changed
 * unnoticed. Another names the nodes whose multiply-accumulates are not known: whatever follows from counts is too low.
 * @throws BedsideError as `openBundle`
 */
export async function loadBundle(path: string, journal: Journal): Promise<Bundle> {
  const bundle = await openBundle(path);
  const { version, uncounted } = bundle.manifest;
  if (version < SEALED_VERSION) {
    journal.note(
      `${path} is of version ${version}: its bundle.json is not covered by a hash, so damage to its times and accuracies ` +
        'would go unnoticed; pack the model again, or add a variant by `bedside pack --certify`, which writes it with one',
    );
  }
  for (const line of describeUncounted(uncounted)) journal.note(`${path}: ${line}`);
  return bundle;
}
