// Tiny models around normalisations, pools by norm, resizing and moves of space, for tests of derivatives.
import type { Attribute } from '../../onnx/index.ts';
import { floatConstant, int, intConstant, ints, type OpName, string } from '../../onnx/internal.ts';
import { type Case, IMAGE, one } from './operator-cases.ts';

/** A Resize by scales or to sizes. */
function resize(
  title: string,
  given: {
    sample?: readonly number[];
    scales?: readonly number[];
    sizes?: readonly number[];
    out: readonly number[];
  },
  attributes: Record<string, Attribute>,
  opset = 17,
): Case {
  const { sample = [2, 3, 4], scales, sizes, out } = given;
  return {
    op: 'Resize',
    title,
    sample,
    features: out.reduce((a, b) => a * b, 1),
    opset: sizes ? 18 : opset,
    build: (net) => {
      if (sizes) {
        const target = net.builder.constant(intConstant(sizes));
        return one(net, 'Resize', ['', '', target], { ...attributes, axes: ints([2, 3]) });
      }
      const factors = attributes.axes ? (scales ?? []) : [1, 1, ...(scales ?? [])];
      return one(net, 'Resize', ['', net.builder.constant(floatConstant(factors))], attributes);
    },
  };
}

const mode = (name: string, coordinates: string, more: Record<string, Attribute> = {}) => ({
  mode: string(name),
  coordinate_transformation_mode: string(coordinates),
  ...more,
});
const nearest = (coordinates: string, rounding: string) =>
  mode('nearest', coordinates, { nearest_mode: string(rounding) });

/** A normalisation with a scale and a shift, behind a function that keeps statistics apart. */
const normalised = (
  op: OpName,
  title: string,
  parameters: number,
  attributes: Record<string, Attribute>,
  more: Partial<Case> = {},
): Case => ({
  op,
  title,
  sample: [4, 2, 3],
  features: 24,
  absorbs: true,
  build: (net) => one(net, op, [net.weights([parameters]), net.weights([parameters])], attributes),
  ...more,
});

export const SPACE_CASES: readonly Case[] = [
  resize('nearest, twice', { scales: [2, 2], out: [2, 6, 8] }, nearest('asymmetric', 'floor')),
  resize(
    'nearest, uneven',
    { scales: [1.7, 0.6], out: [2, 5, 2] },
    nearest('half_pixel', 'round_prefer_floor'),
  ),
  resize('nearest, to sizes', { sizes: [5, 7], out: [2, 5, 7] }, nearest('pytorch_half_pixel', 'ceil')),
  resize(
    'nearest, corners',
    { sizes: [7, 3], out: [2, 7, 3] },
    nearest('align_corners', 'round_prefer_ceil'),
  ),
  resize(
    'nearest, along one axis by name',
    { scales: [2.4], out: [2, 3, 9] },
    { ...nearest('asymmetric', 'floor'), axes: ints([-1]) },
    18,
  ),
  resize('linear, half pixels', { scales: [2, 1.5], out: [2, 6, 6] }, mode('linear', 'half_pixel')),
  resize('linear, corners', { sizes: [5, 7], out: [2, 5, 7] }, mode('linear', 'align_corners')),
  resize('linear, asymmetric, shrinking', { scales: [0.7, 2], out: [2, 2, 8] }, mode('linear', 'asymmetric')),
  resize(
    'linear, of a signal',
    { sample: [3, 5], scales: [2], out: [3, 10] },
    mode('linear', 'pytorch_half_pixel'),
  ),
  resize(
    'linear, symmetric half pixels',
    { scales: [1.3, 1.8], out: [2, 3, 7] },
    mode('linear', 'half_pixel_symmetric'),
    19,
  ),
  resize(
    'linear, of a volume',
    { sample: [1, 2, 3, 2], scales: [2, 1, 2], out: [1, 4, 3, 4] },
    mode('linear', 'half_pixel'),
  ),
  resize('cubic', { scales: [2, 1.5], out: [2, 6, 6] }, mode('cubic', 'half_pixel')),
  resize(
    'cubic, inside alone',
    { scales: [2, 2], out: [2, 6, 8] },
    mode('cubic', 'half_pixel', { exclude_outside: int(1) }),
  ),

  normalised('InstanceNormalization', 'plain', 4, {}),
  normalised('GroupNormalization', 'one scale a group', 2, { num_groups: int(2) }, { opset: 18 }),
  normalised('GroupNormalization', 'one scale a channel', 4, { num_groups: int(2) }, { opset: 21 }),
  {
    op: 'MeanVarianceNormalization',
    title: 'over space',
    sample: IMAGE,
    features: 60,
    build: (net) => one(net, 'MeanVarianceNormalization', [], { axes: ints([2, 3]) }),
  },
  ...[1, 2].map(
    (p): Case => ({
      op: 'LpNormalization',
      title: `p ${p}`,
      sample: IMAGE,
      features: 60,
      kinks: [0],
      build: (net) => one(net, 'LpNormalization', [], { axis: int(1), p: int(p) }),
    }),
  ),
  {
    op: 'LpPool',
    title: 'squares',
    sample: [2, 4, 5],
    features: 12,
    build: (net) =>
      one(net, 'LpPool', [], { kernel_shape: ints([2, 2]), strides: ints([2, 2]), pads: ints([0, 0, 0, 1]) }),
  },
  {
    op: 'LpPool',
    title: 'cubes, overlapping',
    sample: [2, 6],
    features: 8,
    kinks: [0],
    build: (net) => one(net, 'LpPool', [], { kernel_shape: ints([3]), p: int(3) }),
  },
  {
    op: 'GlobalLpPool',
    title: 'squares',
    sample: IMAGE,
    features: 3,
    range: [-0.5, 0.5],
    build: (net) => one(net, 'GlobalLpPool', []),
  },
  {
    op: 'SpaceToDepth',
    title: 'blocks of two',
    sample: [2, 4, 6],
    features: 48,
    build: (net) => one(net, 'SpaceToDepth', [], { blocksize: int(2) }),
  },
  {
    op: 'Tile',
    title: 'two axes',
    sample: [2, 3, 2],
    features: 72,
    build: (net) => one(net, 'Tile', [net.builder.constant(intConstant([1, 2, 1, 3]))]),
  },
  {
    op: 'CumSum',
    title: 'backwards, without itself',
    sample: [2, 5],
    features: 10,
    build: (net) =>
      one(net, 'CumSum', [net.builder.constant(intConstant([2], []))], {
        exclusive: int(1),
        reverse: int(1),
      }),
  },
];
