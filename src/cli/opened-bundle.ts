// Bundles as commands open them: what a bundle cannot vouch for is said.
import { type Bundle, openBundle, SEALED_VERSION } from '../bundle/index.ts';
import { describeUncounted } from '../report/index.ts';
import type { Output } from './output.ts';

/**
 * Opens a bundle. Of one whose manifest has no hash of its own a remark says so: its times and accuracies may have changed
 * unnoticed. Another names the nodes whose multiply-accumulates are not known: whatever follows from counts is too low.
 * @throws BedsideError as `openBundle`
 */
export async function openedBundle(path: string, output: Output): Promise<Bundle> {
  const bundle = await openBundle(path);
  const { version, uncounted } = bundle.manifest;
  if (version < SEALED_VERSION) {
    output.note(
      `${path} is of version ${version}: its bundle.json is not covered by a hash, so damage to its times and accuracies ` +
        'would go unnoticed; pack the model again, or add a variant by `bedside pack --certify`, which writes it with one',
    );
  }
  for (const line of describeUncounted(uncounted)) output.note(`${path}: ${line}`);
  return bundle;
}
