// Where a pass starts: at the scores, flattened to one row a sample, before a sigmoid or softmax that ends the network.
import { type GraphBuilder, int, type Node, opOf } from '../../onnx/internal.ts';
import type { TaskKind } from '../../util/index.ts';
import type { ScoreForm } from '../../util/internal.ts';

/** The scores of a network: their value, one sample's shape and its size. */
export interface Scores {
  readonly name: string;
  readonly shape: readonly number[];
  readonly size: number;
  /** What they are for; undefined is one of several classes. */
  readonly form: ScoreForm | undefined;
}

/** The value that is explained. */
export interface Explained {
  readonly name: string;
  /** One sample's shape. */
  readonly shape: readonly number[];
  /** The operator that was skipped. */
  readonly skipped: string | undefined;
}

const ENDS = ['Softmax', 'LogSoftmax', 'Sigmoid'];
const RESHAPES = ['Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'];
/** Tasks whose values are explained as they are, whatever computes them. */
const AS_THEY_ARE: readonly TaskKind[] = ['regression', 'embedding'];

/** Scores of one of several classes in a list, as most classifiers have them. */
export function isPlain({ shape, form }: Pick<Scores, 'shape' | 'form'>): boolean {
  return shape.length === 1 && (form === undefined || form.task === 'single-label');
}

/**
 * The value behind which a final sigmoid or softmax is skipped: the score before it is explained. Nodes that only give
 * another shape may stand between it and the output.
 */
export function explainedValue(
  scores: Scores,
  maker: (value: string) => Node | undefined,
  shapeOf: (value: string) => readonly number[],
): Explained {
  const whole: Explained = { name: scores.name, shape: scores.shape, skipped: undefined };
  const task = scores.form?.task;
  if (task !== undefined && AS_THEY_ARE.includes(task)) return whole;
  let value = scores.name;
  for (let node = maker(value); node; node = maker(value)) {
    const op = opOf(node) ?? '';
    const input = node.inputs[0] as string;
    // Of a plain list of classes only what directly ends the network is skipped, and a sigmoid is explained.
    const ends = isPlain(scores) ? ['Softmax', 'LogSoftmax'] : ENDS;
    if (ends.includes(op)) {
      const shape = shapeOf(input).slice(1);
      // Exclusive classes stay on the first axis.
      const moved = scores.form?.exclusive && shape[0] !== scores.shape[0];
      return moved ? whole : { name: input, shape, skipped: op };
    }
    if (isPlain(scores) || !RESHAPES.includes(op)) return whole;
    value = input;
  }
  return whole;
}

/** Rows `[batch, size]` in the shape of a value; rows themselves where it is a list. */
export function shaped(builder: GraphBuilder, rows: string, shape: readonly number[]): string {
  if (shape.length === 1) return rows;
  return builder.node('Reshape', [rows, builder.ints([-1, ...shape])], {}, 'start');
}

/** A value with one row a sample, as `[batch, size]`. */
export function flattened(
  builder: GraphBuilder,
  value: string,
  shape: readonly number[],
  size: number,
): string {
  if (shape.length === 1) return value;
  return builder.node('Reshape', [value, builder.ints([-1, size])], {}, 'scores');
}

/**
 * The gradient of the loss at the explained value, from the targets `[batch, size]`: of the cross-entropy for classes
 * (each position's, for exclusive classes of a mask), of the binary cross-entropy for labels and masks, of half the
 * squared error for values.
 */
export function lossStart(
  builder: GraphBuilder,
  scores: Scores,
  explained: Explained,
  target: string,
): string {
  const wanted = shaped(builder, target, explained.shape);
  const at = isPlain(scores) ? scores.name : explained.name;
  if (scores.form && AS_THEY_ARE.includes(scores.form.task)) {
    return builder.node('Sub', [at, wanted], {}, 'loss');
  }
  return builder.node('Sub', [probabilities(builder, scores, explained, at), wanted], {}, 'loss');
}

function probabilities(builder: GraphBuilder, scores: Scores, { skipped }: Explained, at: string): string {
  const { form } = scores;
  // The network computes them itself.
  if (isPlain(scores) && skipped === 'Softmax') return scores.name;
  return form && !form.exclusive
    ? builder.node('Sigmoid', [at], {}, 'probabilities')
    : builder.node('Softmax', [at], { axis: int(1) }, 'probabilities');
}

/** 1 at each row's largest score, `[batch, size]`. */
export function oneHotOfLargest(builder: GraphBuilder, rows: string, size: number): string {
  const index = builder.node(
    'ArgMax',
    [rows],
    { axis: { type: 'int', value: 1n }, keepdims: { type: 'int', value: 0n } },
    'predicted',
  );
  const depth = builder.ints([size]);
  const values = builder.constant({ type: 'float32', dims: [2], data: Float32Array.of(0, 1) }, 'off_on');
  return builder.node('OneHot', [index, depth, values], {}, 'start');
}
