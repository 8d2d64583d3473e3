// Two bundles for one folder, of the same network with other weights. Loads neither the engine nor the test runner, so
// that a process that only writes is soon at it.
import type { Model } from '../../onnx/index.ts';
import { floatConstant, GraphBuilder, int, ints, sizeOf } from '../../onnx/internal.ts';
import { Random } from '../../util/internal.ts';
import type { BundleContents } from '../write.ts';
import { contentsOf } from './contents.ts';

/** The same on every call. */
export function oldAndNew(): readonly [BundleContents, BundleContents] {
  return [
    contentsOf(network(1), { name: 'old', variants: [[1, 2]] }),
    contentsOf(network(2), { name: 'new', variants: [[1, 2]] }),
  ];
}

/** Two convolutions `a` and `b` of 32 channels, a pool and a linear layer. */
function network(seed: number): Model {
  const random = new Random(seed);
  const builder = new GraphBuilder();
  const weights = (...dims: number[]): string =>
    builder.constant(
      floatConstant(
        Float32Array.from({ length: sizeOf(dims) }, () => 0.1 * random.normal()),
        dims,
      ),
      'w',
    );
  let x = builder.input('input', ['batch', 2, 6, 6]);
  for (const [name, from] of [
    ['a', 2],
    ['b', 32],
  ] as const) {
    const attributes = { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) };
    x = builder.node('Conv', [x, weights(32, from, 3, 3), weights(32)], attributes, name);
    x = builder.node('Relu', [x]);
  }
  x = builder.node('Flatten', [builder.node('GlobalAveragePool', [x])], { axis: int(1) });
  x = builder.node('Gemm', [x, weights(3, 32), weights(3)], { transB: int(1) }, 'head');
  builder.graph.outputs = [{ name: x, elemType: 1, dims: ['batch', 3] }];
  return builder.model(14, 8);
}
