// Networks put together at random from coupled blocks.
import type { Model } from '../../onnx/index.ts';
import { int, ints } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { Net } from './net.ts';

interface Features {
  readonly value: string;
  readonly channels: number;
}

type Block = (net: Net, at: Features, name: string, random: Random) => Features;

const plain: Block = (net, { value, channels }, name, random) => {
  const to = 4 * (1 + random.integer(3));
  return {
    value: net.relu(net.conv(name, value, channels, to, { kernel: 1 + 2 * random.integer(2) })),
    channels: to,
  };
};

const residual: Block = (net, at, name, random) => {
  const inner = plain(net, at, `${name}a`, random);
  const back = net.batchNorm(net.conv(`${name}b`, inner.value, inner.channels, at.channels), at.channels);
  return { value: net.relu(net.op('Add', [at.value, back])), channels: at.channels };
};

const inverted: Block = (net, at, name, random) => {
  const wide = at.channels * 2;
  const expanded = net.op('Clip', [net.conv(`${name}a`, at.value, at.channels, wide, { kernel: 1 })]);
  const multiplier = 1 + random.integer(2);
  const deep = net.op('Sigmoid', [net.conv(`${name}b`, expanded, wide, wide * multiplier, { group: wide })]);
  const back = net.conv(`${name}c`, deep, wide * multiplier, at.channels, { kernel: 1 });
  return { value: net.op('Add', [back, at.value]), channels: at.channels };
};

const gated: Block = (net, at, name) => {
  const squeezed = net.op('Tanh', [
    net.conv(`${name}a`, net.op('GlobalAveragePool', [at.value]), at.channels, 4, { kernel: 1 }),
  ]);
  const gate = net.op('Sigmoid', [net.conv(`${name}b`, squeezed, 4, at.channels, { kernel: 1 })]);
  return { value: net.op('Mul', [gate, at.value]), channels: at.channels };
};

const dense: Block = (net, at, name, random) => {
  const grown = plain(net, at, name, random);
  const parts = random.shuffle([at, grown]);
  return {
    value: net.op(
      'Concat',
      parts.map((part) => part.value),
      { axis: int(1) },
    ),
    channels: at.channels + grown.channels,
  };
};

const halves: Block = (net, at, name) => {
  const half = at.channels / 2;
  const [left, right] = net.builder.nodes('Split', [at.value], { axis: int(1) }, ['left', 'right']) as [
    string,
    string,
  ];
  const worked = net.relu(net.conv(name, right, half, half));
  return { value: net.op('Concat', [worked, left], { axis: int(1) }), channels: at.channels };
};

const grouped: Block = (net, at, name, random) => {
  const value = net.conv(name, at.value, at.channels, 8, { group: [2, 4][random.integer(2)] as number });
  return { value: net.op('PRelu', [value, net.weights([8, 1, 1], 0.3)]), channels: 8 };
};

const padded: Block = (net, at, name) => {
  const wider = at.channels + 4;
  const shortcut = net.op('Pad', [at.value, net.ints([0, 1, 0, 0, 0, 3, 0, 0])]);
  return {
    value: net.relu(net.op('Add', [net.conv(name, at.value, at.channels, wider), shortcut])),
    channels: wider,
  };
};

const reordered: Block = (net, at, _name, random) => {
  const order = random.shuffle(Array.from({ length: at.channels }, (_, i) => i));
  return { value: net.op('Gather', [at.value, net.ints(order)], { axis: int(1) }), channels: at.channels };
};

const shuffled: Block = (net, at) => {
  const parts = net.op('Reshape', [at.value, net.ints([0, 2, at.channels / 2, 4, 4])]);
  const turned = net.op('Transpose', [parts], { perm: ints([0, 2, 1, 3, 4]) });
  return { value: net.op('Reshape', [turned, net.ints([0, at.channels, 4, 4])]), channels: at.channels };
};

/** Elementwise operators of one, two and three values. */
const combined: Block = (net, at, name, random) => {
  const other = net.conv(name, at.value, at.channels, at.channels);
  const op = must(['Max', 'Min', 'Sum', 'Mean'][random.integer(4)], 'an operator');
  const bound = net.weights([at.channels, 1, 1], 0.3);
  const most = net.op(op, [at.value, other, bound]);
  const shape = must(
    ['Softplus', 'Selu', 'Abs', 'Neg', 'Softsign', 'Floor'][random.integer(6)],
    'a function',
  );
  const bent = net.op(shape, [most]);
  const chosen = net.op('Where', [net.op('Greater', [other, bound]), bent, net.op('Mul', [bent, bound])]);
  return { value: random.uniform() < 0.5 ? bent : net.op('Abs', [chosen]), channels: at.channels };
};

/** A gate from a reduction over space. */
const reduced: Block = (net, at, name, random) => {
  const op = must(
    ['ReduceMax', 'ReduceMin', 'ReduceL2', 'ReduceLogSumExp'][random.integer(4)],
    'a reduction',
  );
  const pooled = net.op(op, [at.value], { axes: ints([2, -1]) });
  const gate = net.op('Sigmoid', [net.conv(name, pooled, at.channels, at.channels, { kernel: 1 })]);
  return { value: net.op('Mul', [at.value, gate]), channels: at.channels };
};

const BLOCKS: readonly Block[] = [
  plain,
  residual,
  inverted,
  gated,
  dense,
  halves,
  grouped,
  padded,
  reordered,
  shuffled,
  combined,
  reduced,
];

/** A network of five blocks behind a stem, and two linear layers. */
export function randomNet(seed: number): Model {
  const random = new Random(seed);
  const net = new Net([2, 4, 4], seed);
  let at: Features = { value: net.relu(net.conv('stem', net.input, 2, 8)), channels: 8 };
  for (let depth = 0; depth < 5; depth++) {
    const block = BLOCKS[random.integer(BLOCKS.length)] as Block;
    at = block(net, at, `n${depth}`, random);
  }
  const flat = net.op('Reshape', [net.op('Tanh', [at.value]), net.ints([0, at.channels * 16])]);
  const hidden = net.op('Tanh', [net.gemm('hidden', flat, at.channels * 16, 8)]);
  const pooled = net.op('Unsqueeze', [hidden, net.ints([2])]);
  const turned = net.op('Squeeze', [net.op('Transpose', [pooled], { perm: ints([0, 2, 1]) }), net.ints([1])]);
  return net.finish(net.gemm('head', turned, 8, 3, false));
}
