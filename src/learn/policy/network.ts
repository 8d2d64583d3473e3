// The policy network. It is written once over an interface of arithmetic, for the trainer (gradients) and the exporter
// (ONNX). A token is a stage on a device. The same weights score all tokens, so no size is built in.
import type { Random } from '../../util/internal.ts';
import { FEATURES } from './feature-names.ts';

/** Widths, and what may be left out for an ablation. */
export interface PolicyShape {
  readonly hidden: number;
  readonly blocks: number;
  /** Attention of a stage's devices to each other; without, they meet in means only. */
  readonly attention: boolean;
}

export const POLICY_SHAPE: PolicyShape = { hidden: 32, blocks: 2, attention: true };

/** A weight tensor. */
export interface PolicyWeight {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Weights by name. */
export type PolicyWeights = ReadonlyMap<string, PolicyWeight>;

/** The arithmetic that the network needs. A value may be used any number of times. Axis 0 is the batch. */
export interface Arithmetic<T> {
  /** `x @ weight` over the last axis, and a bias if the name has one. */
  linear(x: T, name: string): T;
  add(a: T, b: T): T;
  relu(x: T): T;
  softplus(x: T): T;
  /** Over the last axis. */
  softmax(x: T): T;
  /** `a @ b`, and `a @ transpose(b)`, over the last two axes. */
  matmul(a: T, b: T): T;
  matmulTransposed(a: T, b: T): T;
  /** Mean over stages (axis 1) or devices (axis 2), padding left out; the axis stays with length 1. */
  mean(x: T, axis: 1 | 2): T;
  /** What is padding becomes 0. */
  present(x: T): T;
  /** Before a softmax over devices: padding becomes very small. */
  absent(x: T): T;
  /** An axis of length 1 less. */
  squeeze(x: T, axis: number): T;
  /** Moved by one along axis 1, zeros where nothing comes from: 1 to later places, -1 to earlier ones. */
  shift(x: T, by: 1 | -1): T;
}

/** Inputs. Shapes with B the batch, L stages, D devices, S sets, P levels. */
export interface NetworkInputs<T> {
  readonly request: T; // [B, 1, 1, features]
  readonly stage: T; // [B, L, 1, features]
  readonly device: T; // [B, 1, D, features]
  readonly pair: T; // [B, L, D, features]
  readonly link: T; // [B, D, D, features]
  readonly set: T; // [B, L, S, features]
  readonly members: T; // [B, L, S, D]
  readonly level: T; // [B, L, P, features]
}

/** Outputs. */
export interface NetworkOutputs<T> {
  readonly sets: T; // [B, L, S, 1]
  readonly levels: T; // [B, L, P, 1]
  /** Not negative: prices of memory and energy, compressed as `compress` does. */
  readonly devices: T; // [B, 1, D, 2]
  /** Not negative: prices of the deadline and of all allowed loss, compressed. */
  readonly request: T; // [B, 1, 1, 2]
  /** Input of the critic in training. */
  readonly ofStage: T; // [B, L, 1, hidden]
}

export const INPUT_NAMES = ['request', 'stage', 'device', 'pair', 'link', 'set', 'members', 'level'] as const;

/** The forward pass. */
export function forward<T>(ops: Arithmetic<T>, shape: PolicyShape, x: NetworkInputs<T>): NetworkOutputs<T> {
  const sum = (first: T, ...others: T[]): T => others.reduce((all, one) => ops.add(all, one), first);
  const start = sum(
    ops.add(ops.linear(x.stage, 'stage'), ops.linear(x.request, 'request')),
    ops.linear(x.device, 'device'),
    ops.linear(x.pair, 'pair'),
  );
  let token = ops.present(ops.relu(start));
  // [B, 1, D, D]: how near devices are, for every stage alike.
  const near = ops.absent(ops.squeeze(ops.linear(x.link, 'link'), 3));
  for (let b = 0; b < shape.blocks; b++) token = block(ops, shape, b, token, near);
  const ofStage = ops.mean(token, 2);
  const ofDevice = ops.mean(token, 1);
  const whole = ops.mean(ofStage, 1);
  const set = ops.relu(
    sum(
      ops.linear(ofStage, 'set.stage'),
      ops.linear(ops.matmul(x.members, token), 'set.held'),
      ops.linear(x.set, 'set.own'),
    ),
  );
  const level = ops.relu(
    sum(
      ops.add(ops.linear(ofStage, 'level.stage'), ops.linear(ops.shift(ofStage, -1), 'level.next')),
      ops.linear(x.level, 'level.own'),
    ),
  );
  const price = ops.relu(sum(ops.linear(whole, 'price.whole'), ops.linear(ofDevice, 'price.device')));
  const limits = ops.relu(sum(ops.linear(whole, 'limit.whole'), ops.linear(x.request, 'limit.request')));
  return {
    sets: ops.linear(set, 'set.score'),
    levels: ops.linear(level, 'level.score'),
    devices: ops.softplus(ops.linear(price, 'price.score')),
    request: ops.softplus(ops.linear(limits, 'limit.score')),
    ofStage,
  };
}

/** For training alone: what is still to be won or lost from a stage on, [B, L, 1, 1]. */
export function critic<T>(ops: Arithmetic<T>, ofStage: T): T {
  return ops.linear(ops.relu(ops.linear(ofStage, 'critic.stage')), 'critic.score');
}

/** Attention over the fleet in each stage, then neighbours along the chain and means, both added to what was there. */
function block<T>(ops: Arithmetic<T>, { attention }: PolicyShape, b: number, token: T, near: T): T {
  const name = (part: string) => `block${b}.${part}`;
  let now = token;
  if (attention) {
    const likeness = ops.matmulTransposed(ops.linear(now, name('query')), ops.linear(now, name('key')));
    const weights = ops.softmax(ops.add(likeness, near));
    // Padding attends too, and must not be heard.
    now = ops.present(ops.add(now, ops.matmul(weights, ops.linear(now, name('value')))));
  }
  const means = ops.add(
    ops.linear(ops.mean(now, 2), name('stage')),
    ops.linear(ops.mean(now, 1), name('device')),
  );
  const along = ops.add(
    ops.linear(ops.shift(now, 1), name('before')),
    ops.linear(ops.shift(now, -1), name('after')),
  );
  const mixed = ops.add(ops.add(means, along), ops.linear(now, name('here')));
  const more = ops.linear(ops.relu(mixed), name('out'));
  return ops.present(ops.add(now, more));
}

/** Every linear map: inputs, outputs, whether it has a bias, and how large it starts. */
export function layersOf({ hidden: H, blocks, attention }: PolicyShape): readonly LayerShape[] {
  const layer = (name: string, from: number, to: number, bias = false, gain = 1): LayerShape => ({
    ...{ name, from, to, bias, gain },
  });
  return [
    layer('pair', FEATURES.pair, H, true),
    layer('stage', FEATURES.stage, H),
    layer('device', FEATURES.device, H),
    layer('request', FEATURES.request, H),
    layer('link', FEATURES.link, 1, false, 0.3),
    ...Array.from({ length: blocks }, (_, b) => [
      ...(attention
        ? [
            layer(`block${b}.query`, H, H, false, 1 / Math.sqrt(H)),
            layer(`block${b}.key`, H, H),
            layer(`block${b}.value`, H, H, false, 0.5),
          ]
        : []),
      layer(`block${b}.here`, H, H, true),
      ...['before', 'after', 'stage', 'device'].map((part) => layer(`block${b}.${part}`, H, H, false, 0.5)),
      layer(`block${b}.out`, H, H, true, 0.5),
    ]).flat(),
    layer('set.held', H, H, true),
    layer('set.own', FEATURES.set, H),
    layer('set.stage', H, H, false, 0.5),
    layer('set.score', H, 1, false, 0.3),
    layer('level.own', FEATURES.level, H, true),
    layer('level.stage', H, H),
    layer('level.next', H, H),
    layer('level.score', H, 1, false, 0.3),
    layer('price.device', H, H, true),
    layer('price.whole', H, H),
    layer('price.score', H, 2, true, 0.3),
    layer('limit.whole', H, H, true),
    layer('limit.request', FEATURES.request, H),
    layer('limit.score', H, 2, true, 0.3),
    layer('critic.stage', H, H, true),
    layer('critic.score', H, 1, true, 0.1),
  ];
}

export interface LayerShape {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly bias: boolean;
  readonly gain: number;
}

/** First weights: normal, variance gain^2 / inputs; biases 0. */
export function initialWeights(shape: PolicyShape, random: Random): Map<string, PolicyWeight> {
  const weights = new Map<string, PolicyWeight>();
  for (const { name, from, to, bias, gain } of layersOf(shape)) {
    const data = new Float32Array(from * to);
    for (let i = 0; i < data.length; i++) data[i] = (gain / Math.sqrt(from)) * random.normal();
    weights.set(`${name}.weight`, { dims: [from, to], data });
    if (bias) weights.set(`${name}.bias`, { dims: [to], data: new Float32Array(to) });
  }
  return weights;
}

/**
 * Prices as the network gives them: nearly linear where they are small, logarithmic where they are large. In units of
 * `Features.unit`.
 */
export const compress = (price: number): number => Math.log1p(COMPRESSION * price);
export const decompress = (value: number): number =>
  Math.expm1(Math.max(0, Math.min(6, value))) / COMPRESSION;
const COMPRESSION = 8;
