// The slow twin of the DeepLIFT pass: two forward passes in double precision and multipliers node by node, each written
// from the definition "contribution over difference from the reference" (Shrikumar et al., ICML 2017, rescale rule).
import type { Model } from '../../onnx/index.ts';
import type { Node } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { broadcastPosition, type Doubles, flatOf, positions } from './positions.ts';
import type { Trace } from './twin.ts';

/** Differences below this carry no contribution. */
const TINY = 1e-7;

/** The multiplier of every value for the score weighted by `start`. */
export function multipliers(
  model: Model,
  trace: Trace,
  reference: Trace,
  start: Float64Array,
): Map<string, Float64Array> {
  const found = new Map<string, Float64Array>([[must(model.graph.outputs[0], 'an output').name, start]]);
  const read = ({ values }: Trace, name: string): Doubles => must(values.get(name), name);
  const change = (name: string, at: number): number =>
    (read(trace, name).data[at] as number) - (read(reference, name).data[at] as number);
  const add = (name: string, at: number, amount: number): void => {
    const held = found.get(name) ?? new Float64Array(read(trace, name).data.length);
    held[at] = (held[at] as number) + amount;
    found.set(name, held);
  };
  for (const node of [...model.graph.nodes].reverse()) {
    node.outputs.forEach((output, i) => {
      const m = found.get(output);
      if (!m) return;
      if (node.op === 'MaxPool' || node.op === 'GlobalMaxPool') maxPool(node, m);
      else if (trace.linear.has(node)) {
        for (const { out, operand, at, weight } of must(trace.linear.get(node)?.[i], 'terms').terms) {
          add(must(node.inputs[operand], 'an input'), at, weight * (m[out] as number));
        }
      } else if (node.op === 'Mul' || node.op === 'Div') product(node, m);
      else {
        const input = must(node.inputs[0], 'an input');
        m.forEach((value, at) => {
          const dx = change(input, at);
          add(input, at, Math.abs(dx) > TINY ? (value * change(output, at)) / dx : 0);
        });
      }
    });
  }
  return found;

  /** What each window's change is worth goes to the place that explains it: the new winner of a rise, the old of a fall. */
  function maxPool(node: Node, m: Float64Array): void {
    const [input, output] = [must(node.inputs[0], 'an input'), must(node.outputs[0], 'an output')];
    const winners = (side: Trace): Map<number, number> =>
      new Map(side.linear.get(node)?.[0]?.terms.map(({ out, at }) => [out, at]));
    const [now, before] = [winners(trace), winners(reference)];
    const worth = new Map<number, number>();
    m.forEach((value, out) => {
      const dy = change(output, out);
      const at = must((dy > 0 ? now : before).get(out), 'a winner');
      worth.set(at, (worth.get(at) ?? 0) + value * dy);
    });
    for (const [at, amount] of worth) {
      const dx = change(input, at);
      if (Math.abs(dx) > TINY) add(input, at, amount / dx);
    }
  }

  /** y = a f(b) with f(b) = b or 1/b: dy = da (f + f0) / 2 + df (a + a0) / 2. */
  function product(node: Node, m: Float64Array): void {
    const [a, b] = node.inputs as [string, string];
    const f = (value: number): number => (node.op === 'Mul' ? value : 1 / value);
    const dims = read(trace, must(node.outputs[0], 'an output')).dims;
    positions(dims).forEach((p, out) => {
      const place = (name: string): number => {
        const own = read(trace, name).dims;
        return flatOf(broadcastPosition(p, own), own);
      };
      const [i, j] = [place(a), place(b)];
      const both = (name: string, at: number): [number, number] => [
        read(trace, name).data[at] as number,
        read(reference, name).data[at] as number,
      ];
      const [x, x0] = both(a, i);
      const [y, y0] = both(b, j);
      add(a, i, ((m[out] as number) * (f(y) + f(y0))) / 2);
      const slope =
        Math.abs(y - y0) > TINY ? (f(y) - f(y0)) / (y - y0) : node.op === 'Mul' ? 1 : -1 / (y * y0);
      add(b, j, ((m[out] as number) * slope * (x + x0)) / 2);
    });
  }
}
