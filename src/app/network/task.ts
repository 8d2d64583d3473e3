// The task of a network on given data: as the user says, otherwise as its output and the data's labels show.
import type { Dataset } from '../../data/index.ts';
import { type LabelFacts, labelFacts } from '../../data/internal.ts';
import {
  type Classifier,
  describeClassifier,
  keptContract,
  lastNode,
  outputForm,
} from '../../evaluate/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { BedsideError, type TaskKind } from '../../util/index.ts';
import type { Journal } from '../reporter.ts';
import { withContract } from './contract.ts';
import { type Network, type NetworkOptions, type NetworkSource, networkOf } from './network.ts';

/** A network with another task. */
export function withTask(network: Network, task: TaskKind): Network {
  const said = (model: Model): Model => withContract(model, { ...keptContract(model), task });
  const original = said(network.original);
  return {
    ...network,
    original,
    canonical: said(network.canonical),
    unmerged: said(network.unmerged),
    // What else is known of it stays.
    classifier: { ...network.classifier, ...describeClassifier(original, network.name) },
  };
}

/**
 * The network of a source, with the task that it has on this data. What is a guess is told.
 * @throws BedsideError E_DATA_FIT when labels and output contradict each other; as `networkOf` and `labelFacts`
 */
export async function networkForData(
  source: NetworkSource,
  data: string | Dataset,
  options: NetworkOptions,
  journal: Journal,
): Promise<Network> {
  const network = await networkOf(source, options, journal);
  const { classifier, name } = network;
  if (classifier.taskSaid) return network;
  const { task, why } = taskOnData(classifier, endOf(network), await labelFacts(data), name);
  if (why !== undefined) journal.remark(`the task is taken to be ${task}: ${why}; --task says otherwise`);
  return task === classifier.task ? network : withTask(network, task);
}

function endOf({ original, classifier }: Network): string | undefined {
  return lastNode(original, classifier.output)?.op;
}

/** A task, and why it is a guess; without a reason it is plain. */
interface TaskFound {
  readonly task: TaskKind;
  readonly why?: string;
}

/**
 * The task of an output on labels.
 * @param end the operator that ends the network
 * @throws BedsideError E_DATA_FIT when they contradict each other
 */
export function taskOnData(
  classifier: Classifier,
  end: string | undefined,
  labels: LabelFacts | undefined,
  name: string,
): TaskFound {
  const form = outputForm(classifier.outputShape);
  if (!labels) return unlabelled(classifier, end);
  switch (form) {
    case 'one':
      return forOne(classifier, end, labels, name);
    case 'list':
      return forList(classifier, end, labels, name);
    case 'positions':
      return forPositions(classifier, labels, name);
  }
}

function unlabelled({ task, output, outputShape }: Classifier, end: string | undefined): TaskFound {
  if (task === 'binary' && end !== 'Sigmoid') {
    return { task, why: `output '${output}' is one score, which may be a logit or a value` };
  }
  if (task === 'multi-label') return { task, why: `output '${output}' is ${outputShape[0]} sigmoids` };
  return { task };
}

function forOne(
  { classes, output }: Classifier,
  end: string | undefined,
  labels: LabelFacts,
  name: string,
): TaskFound {
  if (sizeOf(labels) > 1) throw contradiction(name, `output '${output}' is one score a sample`, labels);
  if (!labels.whole) return { task: 'regression' };
  if ((labels.lowest ?? 0) >= 0 && (labels.highest ?? 0) < classes) return { task: 'binary' };
  if (end === 'Sigmoid') {
    throw contradiction(name, `output '${output}' is one sigmoid, for classes 0 and 1`, labels);
  }
  return {
    task: 'regression',
    why: `output '${output}' is one score, and labels go from ${labels.lowest} to ${labels.highest}`,
  };
}

function forList(
  { scores, output }: Classifier,
  end: string | undefined,
  labels: LabelFacts,
  name: string,
): TaskFound {
  const size = sizeOf(labels);
  const list = `output '${output}' is ${scores} scores a sample`;
  if (size === 1) {
    if (labels.whole) return { task: 'single-label' };
    throw contradiction(name, `${list}, and one of several classes needs whole numbers`, labels);
  }
  if (size !== scores) throw contradiction(name, list, labels);
  if (!labels.whole || (labels.lowest ?? 0) < 0 || (labels.highest ?? 0) > 1) {
    if (end === 'Softmax') throw contradiction(name, `${list} that end in a Softmax`, labels);
    return { task: 'regression', why: `labels are rows of ${size} values that are not 0 and 1` };
  }
  if (labels.oneHot && end !== 'Sigmoid') {
    return { task: 'single-label', why: `labels are rows of ${size} with a single 1 each` };
  }
  if (end === 'Softmax') {
    throw contradiction(name, `${list} that end in a Softmax, so that one class excludes the others`, labels);
  }
  return { task: 'multi-label', why: `labels are rows of ${size} zeros and ones` };
}

function forPositions({ outputShape, output }: Classifier, labels: LabelFacts, name: string): TaskFound {
  const long = (shape: readonly number[]): string => shape.filter((size) => size !== 1).join();
  const own = long(labels.shape);
  const fits = own === long(outputShape) || own === long(outputShape.slice(1));
  if (!fits) throw contradiction(name, `output '${output}' is [${outputShape.join(', ')}] a sample`, labels);
  return { task: labels.whole === false ? 'regression' : 'segmentation' };
}

function sizeOf({ shape }: LabelFacts): number {
  return shape.reduce((product, size) => product * size, 1);
}

function contradiction(
  name: string,
  output: string,
  { shape, whole, lowest, highest }: LabelFacts,
): BedsideError {
  const numbers =
    lowest === undefined ? '' : `, ${whole ? 'whole numbers' : 'numbers'} from ${lowest} to ${highest}`;
  const each = shape.length === 0 ? 'one number a sample' : `[${shape.join(', ')}] a sample`;
  return new BedsideError('E_DATA_FIT', `${name}: ${output}; the data's labels are ${each}${numbers}`, {
    hint: 'use data of this network; --task says what the network is for, --output which of its outputs',
  });
}
