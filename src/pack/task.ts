// What a bundle says of its network's task.
import type { BundleTask } from '../bundle/internal.ts';
import { type Classifier, keptContract, thresholdOf, usesThreshold } from '../evaluate/internal.ts';
import type { Model } from '../onnx/index.ts';
import { withMetadata } from '../onnx/internal.ts';
import type { TaskKind } from '../util/index.ts';
import { CONTRACT_KEY } from '../util/internal.ts';

/**
 * The task of a network as its bundle has it; undefined for one score for each class of a single label.
 * @param names of the data's classes or labels; indices say nothing and are left out
 */
export function bundleTask(classifier: Classifier, names: readonly string[]): BundleTask | undefined {
  const { task: kind, outputShape, classes, probabilities } = classifier;
  if (kind === 'single-label' && outputShape.length === 1) return undefined;
  const named = names.length === classes && names.some((name, i) => name !== String(i));
  return {
    kind,
    outputShape,
    classes,
    ...(usesThreshold(classifier) ? { threshold: thresholdOf(classifier) } : {}),
    ...(probabilities ? { probabilities } : {}),
    ...(named ? { labels: names } : {}),
  };
}

/** The model with a task in the contract that its metadata keeps; its output alone need not tell the task. */
export function taskedModel(model: Model, task: TaskKind): Model {
  const contract = keptContract(model);
  if (contract?.task === task) return model;
  return withMetadata(model, CONTRACT_KEY, JSON.stringify({ ...contract, task }));
}
