// Relevance through attention against the slow twin, and what of it is conserved.
import { describe, expect, it } from 'vitest';
import type { Model } from '../../onnx/index.ts';
import { floatConstant } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { type AttentionOptions, attend, block, normalise, project } from '../test-support/attention-net.ts';
import { expectTwin, rulePairs, runPass, setting, worst } from '../test-support/compare.ts';
import { Net } from '../test-support/nets.ts';
import { relevance } from '../test-support/twin.ts';

// Without biases of projections: the pass takes them into the layer, so what arrives at a layer is not what the twin has.
const SIZES: AttentionOptions = { tokens: 3, width: 4, heads: 2, bias: false };
const [epsilon] = rulePairs(1e-6);
const rule = () => must(epsilon, 'a rule');
const total = (values: Iterable<number>): number => [...values].reduce((sum, value) => sum + value, 0);

function network(build: (net: Net) => string, bias = true, seed = 1): Model {
  const net = new Net([3, 4], seed);
  return net.classify(build(net), 12, 3, bias);
}

/** Minus infinity above the diagonal. */
const causal = (net: Net): string =>
  net.builder.constant(floatConstant([0, -Infinity, -Infinity, 0, 0, -Infinity, 0, 0, 0], [1, 1, 3, 3]));

describe('relevance through attention', () => {
  it.each([
    ['a block', (net: Net) => block(net, net.input, 6, SIZES)],
    ['a mask', (net: Net) => attend(net, net.input, { ...SIZES, mask: causal(net) })],
  ])('agrees with the slow twin: %s', async (_, build) => {
    await expectTwin(setting(network(build)), rule, 2e-3);
  });

  it('is conserved without softmax and biases', async () => {
    const options = { ...SIZES, linear: true };
    const given = setting(network((net) => normalise(net, attend(net, net.input, options), 4, false), false));
    const result = await expectTwin(given, rule, 2e-3);
    expect(Math.abs(total(result.input ?? []) - total(given.start))).toBeLessThan(
      1e-3 * Math.abs(total(given.start)),
    );
  });

  it('loses at softmax what its hidden bias takes, and nothing elsewhere', async () => {
    const given = setting(network((net) => block(net, net.input, 6, SIZES), false));
    const result = await expectTwin(given, rule, 2e-3);
    const arrived = relevance(given.model, given.trace, Float64Array.from(given.start), () => rule().twin);
    const taken = given.model.graph.nodes
      .filter(({ op }) => op === 'Softmax')
      .map(
        ({ inputs, outputs }) =>
          total(arrived.get(outputs[0] ?? '') ?? []) - total(arrived.get(inputs[0] ?? '') ?? []),
      );
    expect(Math.abs(total(taken))).toBeGreaterThan(0.01);
    const held = total(result.input ?? []) + total(taken);
    expect(Math.abs(held - total(given.start))).toBeLessThan(2e-3 * total(given.start.map(Math.abs)));
  });

  it.each(['Erf', 'Tanh'])(
    'a Gelu of several nodes is passed by its signal, whatever the order: %s',
    async (op) => {
      const relevanceOf = async (turned: boolean): Promise<Float32Array> => {
        const model = network((net) => {
          const x = project(net, net.input, 4, 4, false);
          const gate = net.op('Add', [net.op(op, [x]), net.builder.scalar(1)]);
          return net.op('Mul', turned ? [gate, x] : [x, gate]);
        }, false);
        const given = {
          ...setting(
            network((net) => net.input),
            2,
            1,
          ),
          model,
        };
        return (await runPass(given, () => rule().rule)).input ?? new Float32Array();
      };
      const [one, other] = [await relevanceOf(false), await relevanceOf(true)];
      expect(worst(one, other)).toBeLessThan(1e-6);
    },
  );
});
