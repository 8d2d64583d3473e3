// Bundles as use cases take them: a folder, or one that is open.
import { type Bundle, openBundle, SEALED_VERSION } from '../bundle/index.ts';
import { describeUncounted } from '../report/index.ts';
import type { Journal } from './reporter.ts';

/**
 * Opens a bundle, if it is the path of a folder. Notes say two things about it: its manifest has no hash of its own, so its times
 * and accuracies may have changed unnoticed; or the multiply-accumulates of some nodes are unknown, so all counts are too low.
 * @throws BedsideError as `openBundle`
 */
export async function loadBundle(source: Bundle | string, journal: Journal): Promise<Bundle> {
  if (typeof source !== 'string') return source;
  const bundle = await openBundle(source);
  const { version, uncounted } = bundle.manifest;
  if (version < SEALED_VERSION) {
    journal.note(
      `${source} is of version ${version}: its bundle.json is not covered by a hash, so damage to its times and accuracies ` +
        'would go unnoticed; pack the model again, or add a variant by `bedside pack --certify`, which writes it with one',
    );
  }
  for (const line of describeUncounted(uncounted)) journal.note(`${source}: ${line}`);
  return bundle;
}
