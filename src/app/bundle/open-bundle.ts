// Bundles as use cases take them: a folder, or one that is open.
import { type Bundle, openBundle, SEALED_VERSION } from '../../bundle/index.ts';
import { taskOf } from '../../bundle/internal.ts';
import { checkContract } from '../../data/internal.ts';
import {
  type Classifier,
  describeClassifier,
  keptContract,
  lastNode,
  taskOfOutput,
} from '../../evaluate/internal.ts';
import { taskedModel } from '../../pack/internal.ts';
import { describeUncounted } from '../../report/index.ts';
import { withContract } from '../network/contract.ts';
import type { Journal } from '../reporter.ts';

/**
 * Opens a bundle, if it is the path of a folder. Notes say two things about it: its manifest has no hash of its own, so its times
 * and accuracies may have changed unnoticed; or the multiply-accumulates of some nodes are unknown, so all counts are too low.
 * @throws BedsideError as `openBundle`; E_CONTRACT
 */
export async function loadBundle(source: Bundle | string, journal: Journal): Promise<Bundle> {
  if (typeof source !== 'string') return withOwnTask(source);
  const bundle = await openBundle(source);
  const { version, uncounted } = bundle.manifest;
  if (version < SEALED_VERSION) {
    journal.note(
      `${source} is of version ${version}: its bundle.json is not covered by a hash, so damage to its times and accuracies ` +
        'would go unnoticed; pack the model again, or add a variant by `bedside pack --certify`, which writes it with one',
    );
  }
  for (const line of describeUncounted(uncounted)) journal.note(`${source}: ${line}`);
  return withOwnTask(await withOwnContract(bundle));
}

/**
 * The bundle with the contract of its manifest in its model, where classifiers find it.
 * @throws BedsideError E_CONTRACT for one that is malformed
 */
async function withOwnContract(bundle: Bundle): Promise<Bundle> {
  const { contract } = bundle.manifest;
  const kept = keptContract(bundle.model);
  const said = contract ?? kept;
  if (!said) return bundle;
  const checked = await checkContract(said, `the contract of ${bundle.dir}`);
  const same = JSON.stringify(kept) === JSON.stringify(checked);
  return same ? bundle : { ...bundle, model: withContract(bundle.model, checked) };
}

/** The interface of a bundle's network, with the task that the bundle says. */
export function classifierOf({
  model,
  manifest,
  dir,
}: Pick<Bundle, 'model' | 'manifest' | 'dir'>): Classifier {
  return describeClassifier(taskedModel(model, taskOf(manifest).kind), dir);
}

/** The same bundle. If its output alone would be taken for another task than it says, its model says the task too. */
export function withOwnTask(bundle: Bundle): Bundle {
  const { model, manifest } = bundle;
  const { kind, outputShape } = taskOf(manifest);
  const last = lastNode(model, manifest.model.output.name)?.op;
  const taken = keptContract(model)?.task ?? taskOfOutput(outputShape, last);
  return taken === kind ? bundle : { ...bundle, model: taskedModel(model, kind) };
}
