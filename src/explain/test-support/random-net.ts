// Random networks of any operators in any order, for comparing the relevance pass with its twin where nobody looked.
import type { Attribute, Model } from '../../onnx/index.ts';
import { float, floatConstant, int, ints } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { Net } from './nets.ts';

const SIDE = 4;
const same = [1, 1, 1, 1];

/** A value `[channels, SIDE, SIDE]` and how often it is read. */
interface Available {
  readonly name: string;
  readonly channels: number;
  uses: number;
}

/** `steps` random operators on images of 4x4, what is left over joined and classified. */
export function randomNetwork(seed: number, steps = 9): Model {
  const net = new Net([3, SIDE, SIDE], seed);
  const { random } = net;
  const values: Available[] = [];
  const put = (name: string, channels: number): void => {
    values.push({ name, channels, uses: 0 });
  };
  const take = (channels?: number): Available => {
    const fitting = values.filter((value) => channels === undefined || value.channels === channels);
    // Mostly the latest, so that networks grow deep.
    const recent = fitting.slice(random.uniform() < 0.7 ? -2 : 0);
    const taken = must(recent[random.integer(recent.length)], 'a value');
    taken.uses++;
    return taken;
  };
  put(net.conv(net.input, 3, 4, { pads: same }), 4);

  const window = { kernel_shape: ints([3, 3]), pads: ints(same) };
  const unary =
    (op: string, attributes: Record<string, Attribute> = {}) =>
    (): void => {
      const x = take();
      put(net.op(op, [x.name], attributes), x.channels);
    };
  const binary = (op: string) => (): void => {
    const x = take();
    put(net.op(op, [x.name, take(x.channels).name]), x.channels);
  };
  const convolution = (): void => {
    const x = take();
    const channels = 2 + random.integer(4);
    put(net.conv(x.name, x.channels, channels, { pads: same, bias: random.uniform() < 0.8 }), channels);
  };
  const rectified = (): void => {
    const x = take();
    put(net.relu(net.conv(x.name, x.channels, 4, { pads: same })), 4);
  };
  const unaryMoves = [unary('Identity'), unary('Transpose', { perm: ints([0, 1, 3, 2]) })];
  const pool: Pool = { net, take, put };
  const kinds: (() => void)[] = [
    ...[convolution, convolution, rectified, rectified],
    ...[unary('Relu'), unary('Relu'), unary('LeakyRelu', { alpha: float(0.1) }), unary('Tanh')],
    ...[unary('MaxPool', window), unary('AveragePool', window)],
    ...[binary('Add'), binary('Add'), binary('Sub')],
    ...unaryMoves,
    ...movesOf(pool),
    ...gatesOf(pool),
  ];
  for (let step = 0; step < steps; step++) must(kinds[random.integer(kinds.length)], 'a kind')();

  const unread = values.filter(({ uses }) => uses === 0);
  const joined = net.op(
    'Concat',
    unread.map(({ name }) => name),
    { axis: int(1) },
  );
  const channels = unread.reduce((sum, value) => sum + value.channels, 0);
  return net.classify(net.relu(net.conv(joined, channels, 4, { stride: 2 })), 4);
}

/** The values of a network that is being made. */
interface Pool {
  readonly net: Net;
  take(channels?: number): Available;
  put(name: string, channels: number): void;
}

/** Operators that hand values on in other places. */
function movesOf({ net, take, put }: Pool): (() => void)[] {
  return [
    () => {
      const x = take();
      const y = take();
      put(net.op('Concat', [x.name, y.name], { axis: int(1) }), x.channels + y.channels);
    },
    () => {
      const x = take();
      const first = 1 + net.random.integer(x.channels - 1);
      const sizes = net.builder.ints([first, x.channels - first]);
      const [a, b] = net.builder.nodes('Split', [x.name, sizes], { axis: int(1) }, ['left', 'right']);
      const sides = [must(a, 'left'), must(b, 'right')];
      sides.forEach((side, i) => {
        put(net.conv(side, i === 0 ? first : x.channels - first, 3, { pads: same }), 3);
      });
    },
    () => {
      const x = take();
      const wide = net.op('Pad', [x.name, net.builder.ints([0, 0, 1, 0, 0, 0, 0, 1])]);
      const [zero, five, axes] = [
        [1, 0],
        [5, 4],
        [2, 3],
      ].map((list) => net.builder.ints(list));
      put(net.op('Slice', [wide, zero as string, five as string, axes as string]), x.channels);
    },
  ];
}

/** Operators that scale or shift channels. */
function gatesOf({ net, take, put }: Pool): (() => void)[] {
  return [
    () => {
      const x = take();
      put(net.op('Mul', [net.op('Sigmoid', [take(x.channels).name]), x.name]), x.channels);
    },
    () => {
      const x = take();
      put(net.op('Mul', [x.name, net.weights([x.channels, 1, 1])]), x.channels);
    },
    () => {
      const x = take();
      put(net.op('Add', [x.name, net.op('GlobalAveragePool', [take(x.channels).name])]), x.channels);
    },
    () => {
      const x = take();
      const parameters = [0, 1, 2].map(() => net.weights([x.channels]));
      const variance = net.builder.constant(floatConstant(new Float32Array(x.channels).fill(0.7)));
      put(net.op('BatchNormalization', [x.name, ...parameters, variance]), x.channels);
    },
  ];
}
