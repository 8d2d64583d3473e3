// What a network is for, as far as its output tells: its shape, and the operator that ends it.
import type { Model, Node } from '../onnx/index.ts';
import { BedsideError, TASKS, type TaskKind } from '../util/index.ts';

/** What an output holds for one sample: one value, a list of values, or values at positions. */
export type OutputForm = 'one' | 'list' | 'positions';

/** The form of one sample's output; `[]` and `[1, 1]` are one value, `[C, 1, 1]` a list, `[1, L]` and `[C, H, W]` positions. */
export function outputForm(outputShape: readonly number[]): OutputForm {
  if (outputShape.every((size) => size === 1)) return 'one';
  return outputShape.slice(1).every((size) => size === 1) ? 'list' : 'positions';
}

/** Operators that hand on the same numbers in the same order, if rounded. */
const SAME_NUMBERS = [
  ...['Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Dropout'],
  ...['Cast', 'QuantizeLinear', 'DequantizeLinear'],
];

/** The node that computes an output, behind those that only give it another shape; undefined for an input. */
export function lastNode(model: Pick<Model, 'graph'>, output: string): Node | undefined {
  const makers = new Map(model.graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
  let node = makers.get(output);
  while (node && SAME_NUMBERS.includes(node.op)) {
    const before = makers.get(node.inputs[0] ?? '');
    if (!before) break;
    node = before;
  }
  return node;
}

/** The task that an output is for when nothing says it; labels may show another one that fits the same output. */
export function taskOfOutput(outputShape: readonly number[], last: string | undefined): TaskKind {
  if (last === 'LpNormalization') return 'embedding';
  const form = outputForm(outputShape);
  if (form === 'one') return 'binary';
  if (form === 'positions') return 'segmentation';
  return last === 'Sigmoid' ? 'multi-label' : 'single-label';
}

/** An output: its name, one sample's shape, and the operator that ends it. */
export interface OutputFacts {
  readonly name: string;
  readonly shape: readonly number[];
  readonly last: string | undefined;
}

/** Why a task cannot be that of an output; undefined where it can. */
function reasonAgainst(task: TaskKind, { name, shape, last }: OutputFacts): string | undefined {
  const form = outputForm(shape);
  const what = `output '${name}' has ${describeForm(form, shape)}`;
  switch (task) {
    case 'single-label':
      return form === 'list' ? undefined : `${what}, and one of several classes needs one score for each`;
    case 'binary':
      return form === 'one' ? undefined : `${what}, and a binary task needs one`;
    case 'multi-label':
      if (form !== 'list') return `${what}, and several labels need one score for each`;
      return last === 'Softmax'
        ? `output '${name}' ends in a Softmax: its classes exclude each other, and several labels do not`
        : undefined;
    case 'segmentation':
      return form === 'one' ? `${what}, and a mask needs one for each position` : undefined;
    case 'regression':
      return last === 'Softmax'
        ? `output '${name}' ends in a Softmax, which gives shares of classes and not values`
        : undefined;
    case 'embedding':
      return form === 'one' ? `${what}, and an embedding has several values` : undefined;
  }
}

/**
 * Checks that a task can be that of an output.
 * @param model name of the model in the message
 * @throws BedsideError E_UNSUPPORTED with the reason
 */
export function assertTaskFits(task: TaskKind, output: OutputFacts, model: string): void {
  const reason = reasonAgainst(task, output);
  if (reason === undefined) return;
  const able = TASKS.filter((other) => reasonAgainst(other, output) === undefined);
  throw new BedsideError('E_UNSUPPORTED', `${model}: the task cannot be ${task}: ${reason}`, {
    hint: `this output can be for ${able.join(', ')} (--task)`,
  });
}

function describeForm(form: OutputForm, shape: readonly number[]): string {
  if (form === 'one') return 'one score a sample';
  return form === 'list' ? `${shape[0]} scores a sample` : `scores [${shape.join(', ')}] a sample`;
}
