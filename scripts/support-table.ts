// Writes docs/operators.md: how each pass treats each operator, read from the rule tables.
// Command: npm run docs:operators
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { RULES as CHANNEL_RULES } from '../src/channels/rules.ts';
import type { BackwardRule } from '../src/explain/backward/context.ts';
import { DEEPLIFT_RULES } from '../src/explain/backward/deeplift-rules.ts';
import { GRADIENT_RULES } from '../src/explain/backward/gradient-rules.ts';
import { lowered, passThrough, refuse, stop } from '../src/explain/backward/shape-adjoints.ts';
import { MADE_OF } from '../src/explain/backward/simpler-operators.ts';
import { MOST_STEPS } from '../src/explain/backward/unroll-recurrent.ts';
import { epsilonRule } from '../src/explain/index.ts';
import { relevanceRules } from '../src/explain/lrp/relevance-rules.ts';
import { CONTRIB_MACS, FURTHER_MACS } from '../src/onnx/costs/mac-rules.ts';
import { FUNCTION_OPS, OPS, type OpName, type OpTable } from '../src/onnx/internal.ts';
import { SHAPE_RULES } from '../src/onnx/shapes/rules.ts';
import { CHANGES } from '../src/onnx/upgrade/table.ts';
import { BedsideError } from '../src/util/index.ts';

/** Where the table is written. */
export const TABLE_PATH = fileURLToPath(new URL('../docs/operators.md', import.meta.url));

/** Descriptions of rules, each by one operator that has it: operators with the same rule share the description. */
type Exemplars = Partial<Record<OpName, string>>;

/** Rules that need no further description. */
const PLAIN: ReadonlyMap<BackwardRule, string> = new Map([
  [lowered, 'as what it is made of'],
  [passThrough, 'passes'],
  [refuse, 'refused'],
  [stop, 'stops'],
]);

/** Recurrent layers become operators of one step each before a pass. */
const UNROLLED: ReadonlySet<OpName> = new Set(['GRU', 'LSTM', 'RNN']);

const MOVES: Exemplars = {
  Concat: 'each input gets its part',
  Tile: 'copies add up',
  Gather: 'back to their positions, copies add up (constant indices only)',
  Pad: 'the middle (constant padding only)',
  Reshape: 'reshaped back',
  Slice: 'back to its positions',
  Split: 'parts joined',
  Transpose: 'the inverse permutation',
};

const RELEVANCE: Exemplars = {
  ...MOVES,
  Add: 'by contribution',
  CumSum: 'by contribution',
  Resize: 'copies add up; interpolation by contribution',
  AveragePool: 'by contribution',
  BatchNormalization: 'epsilon rule, where it is not merged',
  Conv: "the composite's rule",
  Div: 'all to the numerator',
  Expand: 'copies add up',
  LayerNormalization: 'passes (identity rule)',
  MatMul: "the composite's rule; of two computed values, half to each",
  Softmax: 'inside a network its Taylor decomposition; at the end it passes',
  Max: 'all to the winner among computed operands',
  MaxPool: 'all to the winner',
  Mul: 'all to the signal, none to gates and constants',
  Pow: 'all to the base (to the exponent of a constant)',
  ReduceLogSumExp: 'by e^(x - y)',
  ReduceMax: 'all to the winner, equal ones share',
  ReduceProd: 'equal shares',
  ReduceSum: 'by contribution',
  Sub: 'by contribution',
  Where: 'all to the chosen operand',
};

const GRADIENT: Exemplars = {
  ...MOVES,
  Add: 'to each addend',
  CumSum: 'the other way round',
  Resize: 'the transposed map',
  AveragePool: 'spread',
  Conv: 'the transposed map',
  Div: 'quotient rule',
  Expand: 'copies add up',
  LRN: 'derivative',
  LayerNormalization: 'derivative',
  MatMul: 'the transposed map; of two computed values, the product rule',
  Max: 'all to the winner',
  MaxPool: 'all to the winner',
  Mean: 'to each addend',
  Mul: 'product rule',
  Pow: 'derivative, zero where it is infinite',
  ReduceLogSumExp: 'derivative',
  ReduceMax: 'all to the winner, equal ones share',
  ReduceProd: 'derivative',
  ReduceSum: 'spread',
  Sub: 'to both, one negated',
  Where: 'all to the chosen operand',
};

/** Elementwise functions each have a rule of their own. */
const ELEMENTWISE: readonly OpName[] = [
  ...FUNCTION_OPS,
  'BatchNormalization',
  'Clip',
  'Elu',
  'Erf',
  'Exp',
  'Gelu',
  'HardSigmoid',
  'HardSwish',
  'LeakyRelu',
  'LogSoftmax',
  'PRelu',
  'Relu',
  'Sigmoid',
  'Softmax',
  'Sqrt',
  'Tanh',
];

const DEEPLIFT: Exemplars = {
  And: 'each condition times the mean of the other',
  Div: 'product with the inverse',
  MatMul: 'as the gradient; of two computed values refused',
  Equal: 'rescale, by the difference of its operands',
  Max: 'a rise to the new winner, a fall to the old',
  MaxPool: 'a rise to the new winner, a fall to the old',
  Mul: 'each factor times the mean of the other',
  Not: 'negated',
  Or: 'each condition times the mean of what the other is not',
  Pow: 'rescale: dy / dx (constant exponents only)',
  ReduceLogSumExp: 'rescale of the logarithm and of each exponential',
  ReduceMax: 'a rise to the new winner, a fall to the old',
  Relu: 'rescale: dy / dx',
  Where: 'each operand by how far it is chosen; the rest to the condition',
};

const CHANNELS: Exemplars = {
  Add: 'couples its operands',
  BatchNormalization: 'follow; parameters are cut',
  Concat: 'joined one after another',
  Constant: 'none',
  Conv: 'its inputs and outputs can be cut',
  DepthToSpace: 'follow, blocks of them tied',
  InstanceNormalization: 'follow; parameters are cut',
  GroupNormalization: 'whole groups only',
  MeanVarianceNormalization: 'kept where it normalises across them, otherwise follow',
  LpNormalization: 'kept where it normalises across them, otherwise follow',
  CumSum: 'kept where it adds them up, otherwise follow',
  ArgMax: 'kept where it picks among them, otherwise follow',
  SpaceToDepth: 'follow, repeated',
  Tile: 'follow, repeated',
  Resize: 'follow where their axis keeps its size',
  Size: 'kept: it counts them',
  Einsum: 'kept, where it is no matrix product; one that is becomes a MatMul',
  Expand: 'follow',
  Gather: 'follow, or picked on their axis',
  LRN: 'kept: it normalises across them',
  LSTM: 'its inputs and hidden units can be cut',
  LayerNormalization: 'follow; it then normalises over those that stay',
  MatMul: 'its inputs and outputs can be cut; of two computed values, heads and pairs of summed channels',
  MaxPool: 'follow on axis 1',
  Pad: 'follow (padded channels: constant padding only)',
  ReduceMean: 'follow; those that are reduced can be cut, but for products and logarithms of sums',
  Relu: 'follow',
  Reshape: 'follow where they stay apart',
  Shape: 'none',
  Slice: 'follow, or picked on their axis',
  Softmax: 'kept where it normalises across them, otherwise follow',
  Split: 'split',
  Transpose: 'follow to their new axis',
};

/**
 * The page as Markdown.
 * @throws BedsideError E_INTERNAL when an operator has a rule that no description stands for
 */
export function supportTable(): string {
  const relevance = relevanceRules(() => epsilonRule());
  const elementwise = Object.fromEntries(ELEMENTWISE.map((op) => [op, 'derivative']));
  const backward = (what: string, table: OpTable<BackwardRule>, exemplars: Exemplars, op: OpName): string =>
    PLAIN.get(table[op]) ?? described(what, table, exemplars, op);
  const deeplift = (op: OpName): string =>
    DEEPLIFT_RULES[op] === GRADIENT_RULES[op] && !PLAIN.has(DEEPLIFT_RULES[op])
      ? 'as the gradient'
      : backward('DeepLIFT', DEEPLIFT_RULES, DEEPLIFT, op);
  const rows = OPS.map((op) => [
    op,
    SHAPE_RULES[op] ? 'yes' : 'no',
    UNROLLED.has(op) ? 'unrolled' : backward('relevance', relevance, RELEVANCE, op),
    UNROLLED.has(op) ? 'unrolled' : backward('gradient', GRADIENT_RULES, { ...GRADIENT, ...elementwise }, op),
    UNROLLED.has(op) ? 'unrolled' : deeplift(op),
    described('channel', CHANNEL_RULES, CHANNELS, op),
  ]);
  const header = ['operator', 'shapes', 'relevance', 'gradient', 'DeepLIFT', 'channels when pruning'];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    '# Operators',
    '',
    ...folded(
      'This page is for researchers, and for whoever asks whether a network is understood. Its table says, for each ONNX ' +
        'operator that bedside knows, whether its output shapes are known, how relevance, gradients and DeepLIFT ' +
        'multipliers cross it from its output to its inputs, and what happens to channels. `npm run docs:operators` writes ' +
        'the page from the rule tables.',
    ),
    '',
    line(header),
    line(header.map(() => '---')),
    ...rows.map(line),
    '',
    ...notes().flatMap((note) => (note.startsWith('#') ? [note, ''] : [...folded(note), ''])),
  ].join('\n');
}

/** What holds of several operators: headings and paragraphs. */
function notes(): string[] {
  const changes = Object.entries(CHANGES).map(([op, { changedIn }]) => `${op} (${changedIn.join(', ')})`);
  const made = Object.entries(MADE_OF).map(([op, what]) => `${op} (${what})`);
  return [
    '## Other operators',
    'Any other operator is carried through the model unchanged. `inspect`, `evaluate`, `pack` and criteria of weights or ' +
      'activations work, and the channels that it reads are kept. An attribution that would have to cross it is refused, ' +
      'and the error names the operator. Its shapes come from the engine, which runs the model once at two batch sizes. ' +
      'If the engine cannot run the model, the model is refused, and the error names the operator. Where a cell says ' +
      '"refused", the same holds for that operator.',
    '## Multiply-accumulates',
    'They are counted for Conv, ConvTranspose, Einsum, Gemm and MatMul, with constant or computed factors, for GRU, LSTM ' +
      `and RNN, and for ${list(FURTHER_MACS)}. Of ONNX Runtime's own operators, ${list(CONTRIB_MACS)} are counted.`,
    'The other standard operators have none: elementwise products and sums do not count. The exceptions are branches and ' +
      'loops with multiplications in them, AffineGrid, Det, DFT and STFT. These, and operators of unknown domains, are ' +
      'named wherever a count or a share is shown (`uncounted` under `--json`).',
    '## Operator sets',
    'Graphs that are made from a model of an operator set below 16 use set 16. Some operators changed in between, and are ' +
      'rewritten, also inside subgraphs. A few cannot be rewritten and are refused by name: Scan of set 8, old Softmax ' +
      'over several axes, batch normalisation of each position, Resize by scales that are not constant or that enlarge ' +
      'one axis and shrink another, and functions of the model that use a changed operator.',
    `The changed operators and their sets are ${changes.join(', ')}. All other operators only gained element types, ` +
      'optional inputs, or attributes whose default keeps the old meaning.',
    'Functions inside a file are written out when it is loaded. A call stays where its function holds branches or loops, ' +
      'or where one of its operators has another form in the operator set of the model.',
    '## Relevance and derivatives',
    'Recurrent layers are unrolled before a pass: one copy of their gates for each step, at most ' +
      `${MOST_STEPS} steps in all layers together. Relevance follows Arras et al. (2017): in a product of a gate and a ` +
      'signal the signal takes all, and the epsilon rule holds in the maps to the gates. A recurrent layer is scored by ' +
      'its hidden states, summed over all steps. Sequences with lengths of their own, coupled gates and rare activations ' +
      'are refused by name.',
    'Relevance starts at the score before a final Softmax or LogSoftmax. In a product, the factor that is a gate gets no ' +
      'relevance. Gates are constants, then Sigmoid, HardSigmoid, Softmax and Clip, then Tanh, also behind constant ' +
      'factors and changes of shape. Between two gates of one kind, the first factor takes all. Attention follows AttnLRP ' +
      '(Achtibat et al., ICML 2024). Its rule for softmax is the one rule that does not conserve: the hidden bias of the ' +
      'decomposition keeps a part, as biases of layers do. In DeepLIFT, completeness through LRN and a Softmax inside the ' +
      'network only holds where no single input equals its reference.',
    `Some operators are made of others, and relevance, gradients and multipliers cross them by the rules of those: ${made.join(', ')}.`,
  ];
}

/** A paragraph in lines of at most 120 characters. */
function folded(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > 120) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** Names in a row. */
function list(rules: object): string {
  const names = Object.keys(rules);
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** The description of the operator that shares this one's rule. */
function described<T>(what: string, table: OpTable<T>, exemplars: Exemplars, op: OpName): string {
  const own = exemplars[op];
  if (own !== undefined) return own;
  for (const [exemplar, text] of Object.entries(exemplars)) {
    if (table[exemplar as OpName] === table[op]) return text;
  }
  throw new BedsideError('E_INTERNAL', `internal: no description of the ${what} rule of ${op}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(TABLE_PATH, supportTable());
