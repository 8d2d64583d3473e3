// Runs the relevance pass and its slow twin on the same network and samples.
import { expect } from 'vitest';
import type { Model } from '../../onnx/index.ts';
import { type Node, sizeOf } from '../../onnx/internal.ts';
import { AttributionPass, type PassResult } from '../attribution/pass.ts';
import { composite } from '../lrp/composite.ts';
import { alphaBetaRule, epsilonRule, gammaRule, type LrpRule, zplusRule } from '../lrp/rules.ts';
import { normals } from './nets.ts';
import { positionOf } from './positions.ts';
import { forward, relevance, type Trace, type TwinRule } from './twin.ts';

/** A rule and its formula. */
export interface RulePair {
  readonly name: string;
  readonly rule: LrpRule;
  readonly twin: TwinRule;
}

const alphaBeta = (alpha: number, epsilon = 1e-6): TwinRule => ({
  kind: 'alpha-beta',
  alpha,
  beta: alpha - 1,
  epsilon,
});

/** Every rule with the given stabiliser. */
export function rulePairs(epsilon = 1e-6): RulePair[] {
  const gammas = [0, 0.25, 1.5];
  const alphas = [1, 2, 3];
  return [
    { name: 'epsilon', rule: epsilonRule(epsilon), twin: { kind: 'epsilon', epsilon } },
    { name: 'zplus', rule: zplusRule(epsilon), twin: alphaBeta(1, epsilon) },
    ...gammas.map(
      (gamma): RulePair => ({
        name: `gamma ${gamma}`,
        rule: gammaRule(gamma, epsilon),
        twin: { kind: 'gamma', gamma, epsilon },
      }),
    ),
    ...alphas.map(
      (alpha): RulePair => ({
        name: `alpha ${alpha}`,
        rule: alphaBetaRule(alpha, epsilon),
        twin: alphaBeta(alpha, epsilon),
      }),
    ),
  ];
}

/** A network, samples, a start for each, and the network's trace in double precision. */
export interface Setting {
  readonly model: Model;
  readonly dims: readonly number[];
  readonly samples: Float32Array;
  readonly start: Float32Array;
  readonly trace: Trace;
}

/** Random samples and a random mix of classes for each. */
export function setting(model: Model, batch = 2, seed = 1): Setting {
  const dims = [batch, ...(model.graph.inputs[0]?.dims ?? []).slice(1).map(Number)];
  const classes = Number(model.graph.outputs[0]?.dims?.[1]);
  const samples = normals(sizeOf(dims), seed + 100);
  const trace = forward(model, { dims, data: Float64Array.from(samples) });
  const logits = trace.values.get(model.graph.outputs[0]?.name ?? '')?.data ?? new Float64Array();
  // Relevance in proportion to the logit: a logit near zero would blow rounding up, in any arithmetic.
  const start = normals(batch * classes, seed + 200).map((value, i) => value * (logits[i] as number));
  return { model, dims, samples, start, trace };
}

/** The pass under test, every layer and the input. */
export async function runPass(
  { model, dims, samples, start }: Setting,
  ruleOf: (name: string) => LrpRule,
): Promise<PassResult> {
  const names = model.graph.nodes.map((node) => node.name);
  const pass = await AttributionPass.create(model, {
    attribution: {
      kind: 'relevance',
      ruleOf: composite(names.map((layer) => ({ match: { layer }, rule: ruleOf(layer) }))),
    },
    wantInput: true,
    start: 'given',
    modelName: 'test',
  });
  try {
    return await pass.run(samples, dims, start);
  } finally {
    await pass.release();
  }
}

/** The pass agrees with the twin in logits, in every layer's channels and in every input value. */
export async function expectTwin(
  given: Setting,
  pairOf: (name: string) => RulePair,
  tolerance = 2e-4,
): Promise<PassResult> {
  const { model, trace, start } = given;
  const result = await runPass(given, (name) => pairOf(name).rule);
  const arrived = relevance(model, trace, Float64Array.from(start), (node) => pairOf(node.name).twin);
  const logits = model.graph.outputs[0]?.name ?? '';
  expect(worst(result.logits, trace.values.get(logits)?.data ?? [])).toBeLessThan(1e-5);
  for (const { name, values } of result.layers) {
    const node = model.graph.nodes.find((candidate) => candidate.name === name) as Node;
    expect(worst(values, channelSums(given, node, arrived)), name).toBeLessThan(tolerance);
  }
  const input = arrived.get(model.graph.inputs[0]?.name ?? '') ?? [];
  expect(worst(result.input ?? [], input), 'input').toBeLessThan(tolerance);
  return result;
}

/** Sums over all axes but the batch and the channels (the last axis of a MatMul, else the second). */
function channelSums(
  { trace }: Setting,
  node: Node,
  arrived: ReadonlyMap<string, Float64Array>,
): Float64Array {
  const output = node.outputs[0] as string;
  const dims = trace.values.get(output)?.dims ?? [];
  const axis = node.op === 'MatMul' ? dims.length - 1 : 1;
  const channels = dims[axis] as number;
  const sums = new Float64Array((dims[0] as number) * channels);
  arrived.get(output)?.forEach((amount, flat) => {
    const position = positionOf(flat, dims);
    const to = (position[0] as number) * channels + (position[axis] as number);
    sums[to] = (sums[to] as number) + amount;
  });
  return sums;
}

/** The largest difference, as a share of the reference's largest value; infinite when lengths or NaN say so. */
export function worst(actual: ArrayLike<number>, reference: ArrayLike<number>): number {
  if (actual.length !== reference.length) return Number.POSITIVE_INFINITY;
  let [difference, size] = [0, 0];
  for (let i = 0; i < reference.length; i++) {
    const off = Math.abs((actual[i] as number) - (reference[i] as number));
    if (Number.isNaN(off)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, off);
    size = Math.max(size, Math.abs(reference[i] as number));
  }
  return difference / Math.max(size, 1e-12);
}
