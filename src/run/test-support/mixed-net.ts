// A small network with every kind of stage.
import { Net } from '../../channels/test-support/net.ts';
import type { Model } from '../../onnx/index.ts';
import { int, ints } from '../../onnx/internal.ts';

/**
 * Layers split by outputs, a residual block and an inverted one split by partial sums, a grouped layer, a linear head.
 */
export function mixedNet(seed = 1): Model {
  const net = new Net([2, 6, 6], seed);
  const stem = net.relu(net.conv('stem', net.input, 2, 8));
  const plain = net.relu(net.conv('plain', stem, 8, 8));
  const inside = net.relu(net.conv('block_a', plain, 8, 12));
  const residual = net.relu(net.op('Add', [net.conv('block_b', inside, 12, 8), plain]));
  const window = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) };
  const pool = net.op('MaxPool', [net.conv('next', residual, 8, 12)], window);
  const wide = net.op('Clip', [net.conv('wide_a', pool, 12, 24, { kernel: 1 })]);
  const deep = net.relu(net.conv('wide_b', wide, 24, 24, { group: 24 }));
  const inverted = net.op('Add', [pool, net.conv('wide_c', deep, 24, 12, { kernel: 1 })]);
  const grouped = net.relu(net.conv('grouped', inverted, 12, 8, { group: 2 }));
  const flat = net.op('Flatten', [net.relu(net.conv('last', grouped, 8, 8))], { axis: int(1) });
  const hidden = net.op('Tanh', [net.gemm('hidden', flat, 8 * 9, 8)]);
  return net.finish(net.gemm('head', hidden, 8, 3));
}
