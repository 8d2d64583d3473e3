// Which factor of a product is the gate, and which the signal.
import type { BackwardContext } from '../backward/context.ts';

/** Gates, ranked: of two factors of a product, the one with the higher rank is the gate. */
const GATES: ReadonlyMap<string, number> = new Map([
  ['Sigmoid', 2],
  ['HardSigmoid', 2],
  ['Softmax', 2],
  ['Clip', 2],
  ['Tanh', 1],
]);

/** Functions that are a gate with a constant added. */
const SHIFTED: ReadonlySet<string> = new Set(['Erf', 'Tanh']);

/** Operators that keep a gate a gate, such as the division by 6 in a hard sigmoid of several nodes. */
const CARRIES_GATE: ReadonlySet<string> = new Set([
  'Cast',
  'Expand',
  'Identity',
  'Reshape',
  'Squeeze',
  'Unsqueeze',
]);

/** Rank of a factor as a gate; 3 for constants. */
export function gateLevel(context: BackwardContext, name: string): number {
  if (context.graph.constants.has(name)) return 3;
  const maker = context.maker(name);
  if (!maker) return 0;
  const [first = '', second = ''] = maker.inputs;
  if (CARRIES_GATE.has(maker.op)) return gateLevel(context, first);
  if ((maker.op === 'Mul' || maker.op === 'Div') && context.graph.constants.has(second)) {
    return gateLevel(context, first);
  }
  if (maker.op === 'Mul' && context.graph.constants.has(first)) return gateLevel(context, second);
  // Gelu of several nodes: 1 + erf(x / sqrt 2) or 1 + tanh(...) is the gate of x.
  const shifted =
    maker.op === 'Add' &&
    [second, first].find((_, i) => context.graph.constants.has([first, second][i] ?? ''));
  if (shifted && SHIFTED.has(context.maker(shifted)?.op ?? '')) return 2;
  return GATES.get(maker.op) ?? 0;
}
