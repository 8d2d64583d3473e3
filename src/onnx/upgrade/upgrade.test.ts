// Older operator sets: the upgraded model passes ONNX Runtime's checks and computes the same.
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { BedsideError } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { GraphBuilder } from '../builder.ts';
import { writeModel } from '../codec/codec.ts';
import { AttributeProto_AttributeType, AttributeProtoSchema } from '../codec/onnx_pb.ts';
import {
  type Attribute,
  cloneModel,
  ELEM,
  float,
  floatConstant,
  floats,
  int,
  intConstant,
  ints,
  type Model,
  string,
} from '../graph.ts';
import { inferShapes } from '../shapes/shapes.ts';
import { compareModels, randomConstant } from '../test-support/models.ts';
import { UPGRADED_OPSET, upgradeOpset } from './upgrade.ts';

interface Form {
  readonly title: string;
  readonly opset: number;
  readonly op: string;
  readonly sample: readonly number[];
  readonly attributes?: Record<string, Attribute>;
  /** Inputs after the first. */
  readonly more?: (builder: GraphBuilder) => string[];
  readonly outputs?: number;
}

const IMAGE = [3, 4, 5] as const;
const random = new Random(4);

const FORMS: readonly Form[] = [
  {
    title: 'both bounds',
    opset: 6,
    op: 'Clip',
    sample: IMAGE,
    attributes: { min: float(-0.4), max: float(0.6) },
  },
  { title: 'lower bound alone', opset: 10, op: 'Clip', sample: IMAGE, attributes: { min: float(0.1) } },
  { title: 'upper bound alone', opset: 7, op: 'Clip', sample: IMAGE, attributes: { max: float(0.1) } },
  { title: 'no bounds', opset: 7, op: 'Clip', sample: IMAGE },
  {
    title: 'bounds as inputs',
    opset: 11,
    op: 'Clip',
    sample: IMAGE,
    more: (b) => [b.scalar(-0.2), b.scalar(0.3)],
  },
  {
    title: 'zeros',
    opset: 7,
    op: 'Pad',
    sample: IMAGE,
    attributes: { pads: ints([0, 0, 1, 2, 0, 1, 0, 1]) },
  },
  {
    title: 'a value',
    opset: 2,
    op: 'Pad',
    sample: IMAGE,
    attributes: { pads: ints([0, 0, 1, 2, 0, 1, 0, 1]), value: float(1.5) },
  },
  {
    title: 'by reflection',
    opset: 9,
    op: 'Pad',
    sample: IMAGE,
    attributes: { pads: ints([0, 0, 1, 2, 0, 0, 0, 1]), mode: { type: 'string', value: 'reflect' } },
  },
  {
    title: 'with axes',
    opset: 9,
    op: 'Slice',
    sample: IMAGE,
    attributes: { starts: ints([1, -3]), ends: ints([3, 1000]), axes: ints([1, 3]) },
  },
  {
    title: 'without axes',
    opset: 1,
    op: 'Slice',
    sample: IMAGE,
    attributes: { starts: ints([0, 1]), ends: ints([1, 3]) },
  },
  {
    title: 'with steps, as inputs',
    opset: 10,
    op: 'Slice',
    sample: IMAGE,
    more: (b) => [b.ints([0]), b.ints([4]), b.ints([2]), b.ints([2])],
  },
  { title: 'axes', opset: 11, op: 'Squeeze', sample: [1, 4, 1], attributes: { axes: ints([1, 3]) } },
  { title: 'every axis of size 1', opset: 1, op: 'Squeeze', sample: [1, 4, 1] },
  { title: 'axes', opset: 1, op: 'Unsqueeze', sample: [4], attributes: { axes: ints([1, 3]) } },
  {
    title: 'sizes',
    opset: 2,
    op: 'Split',
    sample: [6, 2],
    attributes: { axis: int(1), split: ints([1, 2, 3]) },
    outputs: 3,
  },
  { title: 'equal parts', opset: 11, op: 'Split', sample: [6, 2], attributes: { axis: int(1) }, outputs: 2 },
  { title: 'of logits', opset: 1, op: 'Softmax', sample: [5] },
  {
    title: 'over the last of three axes',
    opset: 11,
    op: 'Softmax',
    sample: [3, 5],
    attributes: { axis: int(2) },
  },
  {
    title: 'from an axis on, others of size 1',
    opset: 7,
    op: 'Softmax',
    sample: [5, 1, 1],
    attributes: { axis: int(1) },
  },
  { title: 'from an axis of size 1', opset: 7, op: 'Softmax', sample: [1, 5], attributes: { axis: int(1) } },
  { title: 'counted from the back', opset: 11, op: 'Softmax', sample: [3, 5], attributes: { axis: int(-1) } },
  { title: 'of logits', opset: 7, op: 'LogSoftmax', sample: [5] },
  { title: 'over the last axis', opset: 13, op: 'Softmax', sample: [3, 5] },
  {
    title: 'in evaluation',
    opset: 7,
    op: 'BatchNormalization',
    sample: IMAGE,
    attributes: { epsilon: float(1e-3), momentum: float(0.8) },
    more: (b) => [
      ...[0, 1, 2].map(() => b.constant(randomConstant(random, [3]))),
      b.constant(floatConstant([0.5, 1, 2])),
    ],
  },
  {
    title: 'in evaluation',
    opset: 9,
    op: 'BatchNormalization',
    sample: IMAGE,
    more: (b) => [
      ...[0, 1, 2].map(() => b.constant(randomConstant(random, [3]))),
      b.constant(floatConstant([0.5, 1, 2])),
    ],
  },
  { title: 'with a ratio', opset: 7, op: 'Dropout', sample: IMAGE, attributes: { ratio: float(0.4) } },
  { title: 'plain', opset: 10, op: 'Dropout', sample: IMAGE },
  {
    title: 'axes and kept axes',
    opset: 11,
    op: 'ReduceMean',
    sample: IMAGE,
    attributes: { axes: ints([2, 3]) },
  },
  {
    title: 'shape as an input',
    opset: 5,
    op: 'Reshape',
    sample: IMAGE,
    more: (b) => [b.constant(intConstant([-1, 6, 10]))],
  },
  { title: 'axes', opset: 11, op: 'ReduceSum', sample: IMAGE, attributes: { axes: ints([1, -1]) } },
  { title: 'all axes', opset: 7, op: 'ReduceSum', sample: IMAGE, attributes: { keepdims: int(0) } },
  {
    title: 'scales as an attribute',
    opset: 7,
    op: 'Upsample',
    sample: IMAGE,
    attributes: { scales: floats([1, 1, 2, 3]), mode: string('nearest') },
  },
  { title: 'scales as an input', opset: 9, op: 'Upsample', sample: IMAGE, more: scales(1, 1, 2, 2.5) },
  {
    title: 'linear',
    opset: 9,
    op: 'Upsample',
    sample: IMAGE,
    attributes: { mode: string('linear') },
    more: scales(1, 1, 2, 3),
  },
  { title: 'nearest, enlarging', opset: 10, op: 'Resize', sample: IMAGE, more: scales(1, 1, 1.7, 2) },
  { title: 'nearest, shrinking', opset: 10, op: 'Resize', sample: [3, 7, 9], more: scales(1, 1, 0.6, 0.4) },
  {
    title: 'linear',
    opset: 10,
    op: 'Resize',
    sample: [3, 7, 9],
    attributes: { mode: string('linear') },
    more: scales(1, 1, 0.6, 1.9),
  },
  {
    title: 'sizes, with empty scales and regions',
    opset: 11,
    op: 'Resize',
    sample: IMAGE,
    attributes: { mode: string('linear'), coordinate_transformation_mode: string('align_corners') },
    more: (b) => [b.constant(floatConstant([])), b.constant(floatConstant([])), b.ints([2, 3, 9, 8])],
  },
  {
    title: 'scales, with half pixels',
    opset: 12,
    op: 'Resize',
    sample: IMAGE,
    more: (b) => [b.constant(floatConstant([])), b.constant(floatConstant([1, 1, 2, 2]))],
  },
  {
    title: 'k as an attribute',
    opset: 7,
    op: 'TopK',
    sample: [9],
    attributes: { axis: int(1), k: int(3) },
    outputs: 2,
  },
  {
    title: 'along an axis',
    opset: 9,
    op: 'Scatter',
    sample: [4],
    attributes: { axis: int(1) },
    more: (b) => [
      b.constant(intConstant([3, 0, 1, 2], [2, 2])),
      b.constant(floatConstant([5, 6, 7, 8], [2, 2])),
    ],
  },
  {
    title: 'without half pixels',
    opset: 10,
    op: 'RoiAlign',
    sample: [1, 6, 6],
    attributes: { output_height: int(2), output_width: int(2), sampling_ratio: int(2) },
    more: (b) => [b.constant(floatConstant([0.5, 0.5, 4, 5], [1, 4])), b.constant(intConstant([0]))],
  },
  { title: 'over the last axis', opset: 11, op: 'Hardmax', sample: [3, 5], attributes: { axis: int(2) } },
];

function scales(...values: number[]): (builder: GraphBuilder) => string[] {
  return (builder) => [builder.constant(floatConstant(values))];
}

function build({ op, opset, sample, attributes, more, outputs = 1 }: Form): Model {
  const builder = new GraphBuilder();
  const input = builder.input('input', ['batch', ...sample]);
  const names = Array.from({ length: outputs }, (_, i) => `out${i}`);
  const made = builder.nodes(op, [input, ...(more?.(builder) ?? [])], attributes ?? {}, names);
  for (const [index, name] of made.entries()) {
    builder.output(name, undefined, op === 'TopK' && index === 1 ? ELEM.int64 : ELEM.float32);
  }
  return builder.model(opset, 7);
}

function upgrade(model: Model): Model {
  const shapes = inferShapes(model, 2);
  return upgradeOpset(model, (name) => shapes.get(name));
}

describe('upgradeOpset', () => {
  it.each(FORMS)('$op of operator set $opset, $title', async (form) => {
    const model = build(form);
    const untouched = cloneModel(model);
    const upgraded = upgrade(model);
    expect(upgraded.opsets.get('')).toBe(UPGRADED_OPSET);
    expect(upgraded.irVersion).toBeGreaterThanOrEqual(8);
    expect(await compareModels(model, upgraded)).toBeLessThan(1e-6);
    expect(model.graph.nodes).toEqual(untouched.graph.nodes);
    expect([...model.graph.constants.keys()]).toEqual([...untouched.graph.constants.keys()]);
  });

  it('leaves a model at or beyond its operator set alone', () => {
    for (const opset of [16, 17, 21]) {
      const model = build({ title: '', op: 'Relu', opset, sample: [3] });
      expect(upgrade(model)).toBe(model);
    }
  });

  it('reads the operator set under either name of the standard domain', () => {
    const model = build(FORMS[0] as Form);
    model.opsets = new Map([['ai.onnx', 6]]);
    const upgraded = upgrade(model);
    expect([...upgraded.opsets]).toEqual([['', UPGRADED_OPSET]]);
    expect(upgraded.graph.nodes[0]?.inputs).toHaveLength(3);
  });

  it('rewrites nodes inside subgraphs, which read new constants from outside', async () => {
    const builder = new GraphBuilder();
    const input = builder.input('input', ['batch', 4, 1]);
    const condition = builder.node('Cast', [builder.constant(intConstant([1], []))], { to: int(ELEM.bool) });
    const axes = { name: 'axes', type: AttributeProto_AttributeType.INTS, ints: [2n] };
    const branch = (key: string): Attribute => ({
      type: 'other',
      carried: create(AttributeProtoSchema, {
        name: key,
        type: AttributeProto_AttributeType.GRAPH,
        g: {
          name: key,
          node: [{ opType: 'Squeeze', input: [input], output: [`${key}_out`], attribute: [axes] }],
          output: [{ name: `${key}_out`, type: { value: { case: 'tensorType', value: { elemType: 1 } } } }],
        },
      }),
    });
    const attributes = { then_branch: branch('then_branch'), else_branch: branch('else_branch') };
    builder.output(builder.node('If', [condition], attributes), undefined);
    const model = builder.model(11, 7);
    const before = writeModel(model);
    expect(await compareModels(model, upgrade(model))).toBe(0);
    expect(writeModel(model)).toEqual(before);
  });

  it.each([
    ['BatchNormalization', 7, { spatial: int(0) }, 4, 'spatial=0'],
    ['Resize', 10, {}, 1, 'scales are not constant'],
    ['Upsample', 9, {}, 1, 'scales are not constant'],
    ['Scan', 8, {}, 1, 'operator set 8'],
    ['Resize', 11, { coordinate_transformation_mode: string('tf_half_pixel_for_nn') }, 2, 'tf_half_pixel'],
  ] as const)(
    'refuses %s of operator set %i by name where it cannot be written',
    (op, opset, attributes, more, why) => {
      const builder = new GraphBuilder();
      const input = builder.input('input', ['batch', 3, 4, 4]);
      const others = Array.from({ length: more }, (_, i) => builder.input(`other${i}`, [3]));
      builder.output(builder.node(op, [input, ...others], attributes, 'out0'), undefined);
      const model = builder.model(opset, 7);
      expect(() => upgradeOpset(model, () => undefined)).toThrow(`${op} 'out0'`);
      expect(() => upgradeOpset(model, () => undefined)).toThrow(why);
    },
  );

  it('refuses one that enlarges one axis and shrinks another', () => {
    const model = build({
      title: '',
      op: 'Resize',
      opset: 10,
      sample: [3, 4, 4],
      more: scales(1, 1, 2, 0.5),
    });
    expect(() => upgrade(model)).toThrow(/enlarges one axis and shrinks another/);
  });

  it.each(['Softmax', 'LogSoftmax'])('refuses an old %s over several real axes by name', (op) => {
    const model = build({ title: '', op, opset: 11, sample: [3, 5], attributes: { axis: int(1) } });
    let thrown: unknown;
    try {
      upgrade(model);
    } catch (error) {
      thrown = error;
    }
    expect(BedsideError.is(thrown, 'E_UNSUPPORTED')).toBe(true);
    expect((thrown as BedsideError).message).toContain(`${op} 'out0'`);
  });
});
