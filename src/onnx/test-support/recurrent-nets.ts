// Networks with recurrent layers, as exporters write them.

import { Random } from '../../util/internal.ts';
import { GraphBuilder } from '../builder.ts';
import type { Attribute, Model } from '../graph.ts';
import { floatConstant, int, intConstant, ints, sizeOf, string } from '../graph.ts';

/** A recurrent layer to add. */
export interface RecurrentOptions {
  readonly direction?: 'forward' | 'reverse' | 'bidirectional';
  readonly bias?: boolean;
  readonly peephole?: boolean;
  /** Names of initial states, [directions, batch, hidden]. */
  readonly state?: string;
  readonly cell?: string;
  readonly attributes?: Record<string, Attribute>;
}

const GATES = { LSTM: 4, GRU: 3, RNN: 1 } as const;

/** A network under construction over `[batch, channels, steps]`. */
export class RecurrentNet {
  readonly builder = new GraphBuilder();
  readonly random: Random;
  readonly input: string;

  constructor(channels: number, steps: number, seed = 1) {
    this.random = new Random(seed);
    this.input = this.builder.input('input', ['batch', channels, steps]);
  }

  op(op: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}, name = op): string {
    return this.builder.node(op, inputs, attributes, name);
  }

  weights(dims: readonly number[], scale: number): string {
    const data = Float32Array.from({ length: sizeOf(dims) }, () => this.random.normal() * scale);
    return this.builder.constant(floatConstant(data, dims), 'weights');
  }

  /** An index of rank 0, or a list. */
  index(...values: readonly number[]): string {
    return this.builder.constant(intConstant(values, values.length === 1 ? [] : [values.length]), 'index');
  }

  /** Convolution and rectifier, `[batch, to, steps]`. */
  conv(name: string, x: string, from: number, to: number): string {
    const pads = { kernel_shape: ints([3]), pads: ints([1, 1]) };
    const weights = [this.weights([to, from, 3], 1 / Math.sqrt(3 * from)), this.weights([to], 0.3)];
    return this.op('Relu', [this.op('Conv', [x, ...weights], pads, name)]);
  }

  turned(x: string, perm: readonly number[]): string {
    return this.op('Transpose', [x], { perm: ints(perm) });
  }

  /** All steps, last state and last cell of a layer over `[steps, batch, inputs]`. */
  recurrent(
    op: 'LSTM' | 'GRU' | 'RNN',
    x: string,
    inputs: number,
    hidden: number,
    options: RecurrentOptions = {},
  ) {
    const { direction = 'forward', bias = true, attributes = {} } = options;
    const directions = direction === 'bidirectional' ? 2 : 1;
    const rows = GATES[op] * hidden;
    const given = [
      x,
      this.weights([directions, rows, inputs], 1.2 / Math.sqrt(inputs)),
      this.weights([directions, rows, hidden], 1.2 / Math.sqrt(hidden)),
      bias ? this.weights([directions, 2 * rows], 0.3) : '',
      '',
      options.state ?? '',
      options.cell ?? '',
      options.peephole ? this.weights([directions, 3 * hidden], 0.5) : '',
    ];
    while (given.at(-1) === '') given.pop();
    return this.builder.nodes(
      op,
      given,
      { hidden_size: int(hidden), direction: string(direction), ...attributes },
      op === 'LSTM' ? [op, 'state', 'cell'] : [op, 'state'],
    ) as [string, string, string];
  }

  /** Both directions side by side, `[steps, batch, 2 * hidden]`, as PyTorch exports them. */
  sides(y: string): string {
    return this.op('Reshape', [this.turned(y, [0, 2, 1, 3]), this.builder.ints([0, 0, -1])]);
  }

  squeeze(x: string, axis: number): string {
    return this.op('Squeeze', [x, this.builder.ints([axis])]);
  }

  /** Zeros `[directions, batch, hidden]` made of the batch's size, as PyTorch exports them. */
  zeros(like: string, batchAxis: number, directions: number, hidden: number): string {
    const size = this.op('Gather', [this.op('Shape', [like]), this.index(batchAxis)]);
    const row = this.op('Unsqueeze', [size, this.builder.ints([0])]);
    const shape = [this.builder.ints([directions]), row, this.builder.ints([hidden])];
    return this.op('ConstantOfShape', [this.op('Concat', shape, { axis: int(0) })]);
  }

  dense(name: string, x: string, from: number, to: number): string {
    return this.op(
      'Gemm',
      [x, this.weights([from, to], 1.4 / Math.sqrt(from)), this.weights([to], 0.3)],
      {},
      name,
    );
  }

  finish(logits: string, opset = 14): Model {
    this.builder.graph.outputs = [{ name: logits, elemType: 1, dims: ['batch', 3] }];
    return this.builder.model(opset, 8);
  }
}

/** Convolution, recurrent layer, last step, dense head. */
export function lastStepNet(op: 'LSTM' | 'GRU' | 'RNN', options: RecurrentOptions = {}, seed = 1): Model {
  const net = new RecurrentNet(2, 7, seed);
  const steps = net.turned(net.conv('conv', net.input, 2, 6), [2, 0, 1]);
  const [y] = net.recurrent(op, steps, 6, 5, options);
  const rows = net.turned(net.squeeze(y, 1), [1, 0, 2]);
  const last = net.op('Gather', [rows, net.index(-1)], { axis: int(1) });
  return net.finish(net.dense('head', last, 5, 3));
}

/** Two layers of both directions, mean over steps, as PyTorch exports them. */
export function stackedNet(op: 'LSTM' | 'GRU', seed = 1, attributes: Record<string, Attribute> = {}): Model {
  const net = new RecurrentNet(2, 6, seed);
  const steps = net.turned(net.conv('conv', net.input, 2, 6), [2, 0, 1]);
  const both = { direction: 'bidirectional', attributes } as const;
  const zeros = (): string => net.zeros(steps, 1, 2, 4);
  const [first] = net.recurrent(op, steps, 6, 4, {
    ...both,
    state: zeros(),
    ...(op === 'LSTM' && { cell: zeros() }),
  });
  const [second] = net.recurrent(op, net.sides(first), 8, 5, both);
  const mean = net.op('ReduceMean', [net.sides(second)], { axes: ints([0]), keepdims: int(0) });
  return net.finish(net.dense('head', net.op('Relu', [net.dense('middle', mean, 10, 6)]), 6, 3), 14);
}

/** The last states of both directions, picked one by one and joined. */
export function lastStatesNet(op: 'LSTM' | 'GRU', seed = 1): Model {
  const net = new RecurrentNet(3, 6, seed);
  const steps = net.turned(net.input, [2, 0, 1]);
  const [, state] = net.recurrent(op, steps, 3, 5, { direction: 'bidirectional' });
  const picked = [-2, -1].map((at) => net.op('Gather', [state, net.index(at)], { axis: int(0) }));
  return net.finish(net.dense('head', net.op('Concat', picked, { axis: int(1) }), 10, 3));
}

/** An encoder whose last states start a decoder of the same units. */
export function handedOnNet(seed = 1): Model {
  const net = new RecurrentNet(3, 6, seed);
  const steps = net.turned(net.conv('conv', net.input, 3, 4), [2, 0, 1]);
  const [, state, cell] = net.recurrent('LSTM', steps, 4, 5);
  const [, last, lastCell] = net.recurrent('LSTM', steps, 4, 5, { state, cell, peephole: true });
  const sum = net.op('Add', [net.squeeze(last, 0), net.squeeze(lastCell, 0)]);
  return net.finish(net.dense('head', sum, 5, 3));
}

/** Both directions read in a way that keeps them tied: the last step of each, flattened. */
export function tiedNet(seed = 1): Model {
  const net = new RecurrentNet(3, 6, seed);
  const steps = net.turned(net.input, [2, 0, 1]);
  const [y] = net.recurrent('GRU', steps, 3, 5, {
    direction: 'bidirectional',
    attributes: { linear_before_reset: int(1) },
  });
  const last = net.op('Gather', [y, net.index(5)], { axis: int(0) });
  return net.finish(net.dense('head', net.op('Flatten', [net.turned(last, [1, 0, 2])]), 10, 3));
}
