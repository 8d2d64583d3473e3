// The transpose of strided convolutions against the convolution itself: <y, C x> = <T y, x> for random x and y.
import { expect, it } from 'vitest';
import { createSession } from '../../engine/index.ts';
import { inferShapes } from '../../onnx/index.ts';
import {
  applyTransposedLayer,
  floatConstant,
  GraphBuilder,
  int,
  ints,
  weightedLayer,
} from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';

interface Case {
  readonly size: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly group?: number;
}

const lines: Case[] = [1, 2, 3, 4, 7].flatMap((kernel) =>
  [2, 3].flatMap((stride) =>
    [9, 10].flatMap((size) =>
      [
        [0, 0],
        [1, 0],
        [1, 2],
        [3, 3],
      ].map((pads) => ({ size: [size], kernel: [kernel], strides: [stride], pads })),
    ),
  ),
);

const CASES: readonly Case[] = [
  ...lines,
  { size: [6, 7], kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
  { size: [6, 7], kernel: [3, 3], strides: [2, 1], pads: [1, 0, 0, 1], group: 2 },
  { size: [7, 6], kernel: [1, 1], strides: [2, 2], pads: [0, 0, 0, 0], group: 2 },
  { size: [7, 8], kernel: [5, 4], strides: [3, 2], pads: [2, 1, 2, 2] },
  { size: [5, 4, 6], kernel: [3, 2, 3], strides: [2, 1, 2], pads: [1, 0, 1, 1, 1, 1] },
  { size: [5, 4, 6], kernel: [1, 1, 1], strides: [1, 2, 2], pads: [0, 0, 0, 0, 0, 0] },
];

it('is the adjoint for every kernel, stride and padding', async () => {
  const random = new Random(3);
  const values = (length: number): Float32Array =>
    Float32Array.from({ length }, () => random.uniform() - 0.5);
  const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
  const builder = new GraphBuilder();
  const constant = (dims: readonly number[]): string =>
    builder.constant(floatConstant(values(product(dims)), dims));
  const inner = (a: string, b: string): void => {
    const sum = builder.node('ReduceSum', [builder.node('Mul', [a, b])], { keepdims: int(0) });
    builder.output(sum, []);
  };
  // Constants would be folded, where the engine has other kernels.
  const zero = builder.input('zero', []);
  for (const { size, kernel, strides, pads, group = 1 } of CASES) {
    const x = builder.node('Add', [constant([2, 4, ...size]), zero]);
    const weight = constant([6, 4 / group, ...kernel]);
    const attributes = {
      kernel_shape: ints(kernel),
      strides: ints(strides),
      pads: ints(pads),
      group: int(group),
    };
    const convolved = builder.node('Conv', [x, weight], attributes);
    const node = must(builder.graph.nodes.at(-1), 'the convolution');
    const alone = {
      ...builder.graph,
      inputs: [{ name: x, elemType: 1, dims: [2, 4, ...size] }],
      nodes: [node],
    };
    const shapes = inferShapes({ ...builder.model(), graph: { ...alone, outputs: [] } }, 1);
    const layer = must(weightedLayer(builder.graph, node, shapes), 'a layer');
    const y = builder.node('Add', [constant([2, ...layer.outputShape.slice(1)]), zero]);
    inner(convolved, y);
    const terms = [
      { s: y, weight: layer.weight.map((w) => w / 4) },
      { s: y, weight: layer.weight.map((w) => (3 * w) / 4) },
    ];
    const transposed = applyTransposedLayer(builder, layer, terms, 'back');
    inner(transposed, x);
  }
  // Kernels no wider than their stride (but of one point) keep the engine's own operator.
  const kept = builder.graph.nodes.filter(({ op }) => op === 'ConvTranspose').length;
  expect(kept).toBeLessThan(CASES.length);
  const session = await createSession(builder.model(), { name: 'adjoints' });
  try {
    const found = await session.run({
      zero: { type: 'float32', dims: [], data: new Float32Array(1) },
    });
    const sums = session.outputNames.map((name) => must(found[name], name).data[0] as number);
    CASES.forEach((given, i) => {
      const [forward, back] = [sums[2 * i] as number, sums[2 * i + 1] as number];
      expect(Math.abs(forward - back), JSON.stringify(given)).toBeLessThan(1e-4);
    });
  } finally {
    await session.release();
  }
});
