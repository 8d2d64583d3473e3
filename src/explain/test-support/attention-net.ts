// A transformer's block over a few tokens, for tests of relevance and of channels.
import { float, int, ints } from '../../onnx/internal.ts';
import type { Net } from './nets.ts';

/** How the block is written. */
export interface AttentionOptions {
  readonly tokens: number;
  readonly width: number;
  readonly heads: number;
  readonly bias?: boolean;
  /** A constant added to the scores. */
  readonly mask?: string;
  /** Leaves softmax out. */
  readonly linear?: boolean;
}

/** `x W + b` for `[batch, tokens, from]`. */
export function project(net: Net, x: string, from: number, to: number, bias = true): string {
  const product = net.op('MatMul', [x, net.weights([from, to], 1 / Math.sqrt(from))]);
  return bias ? net.op('Add', [product, net.weights([to], 0.3)]) : product;
}

/** Normalisation over the last axis. */
export function normalise(net: Net, x: string, width: number, bias = true): string {
  const parameters = [net.weights([width]), ...(bias ? [net.weights([width], 0.3)] : [])];
  return net.op('LayerNormalization', [x, ...parameters], { epsilon: float(1e-5) });
}

/** Self-attention of `[batch, tokens, width]` with a projection at its end. */
export function attend(net: Net, x: string, options: AttentionOptions): string {
  const { tokens, width, heads, bias = true, mask, linear = false } = options;
  const size = width / heads;
  const part = (perm: readonly number[]): string => {
    const flat = project(net, x, width, width, bias);
    const split = net.op('Reshape', [flat, net.builder.ints([0, tokens, heads, size])]);
    return net.op('Transpose', [split], { perm: ints(perm) });
  };
  const query = net.op('Mul', [part([0, 2, 1, 3]), net.builder.scalar(1 / Math.sqrt(size))]);
  let scores = net.op('MatMul', [query, part([0, 2, 3, 1])]);
  if (mask) scores = net.op('Add', [scores, mask]);
  if (!linear) scores = net.op('Softmax', [scores], { axis: int(-1) });
  const seen = net.op('MatMul', [scores, part([0, 2, 1, 3])]);
  const joined = net.op('Reshape', [
    net.op('Transpose', [seen], { perm: ints([0, 2, 1, 3]) }),
    net.builder.ints([0, tokens, width]),
  ]);
  return project(net, joined, width, width, bias);
}

/** A block with two residual sums, each after a normalisation. */
export function block(net: Net, x: string, inner: number, options: AttentionOptions): string {
  const { width, bias = true } = options;
  const first = net.op('Add', [x, attend(net, normalise(net, x, width, bias), options)]);
  const wide = net.relu(project(net, normalise(net, first, width, bias), width, inner, bias));
  return net.op('Add', [first, project(net, wide, inner, width, bias)]);
}
