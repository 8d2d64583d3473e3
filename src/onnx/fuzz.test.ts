// Damaged models are refused with a code; nothing else escapes, nothing hangs.

import { toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { BedsideError } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { rounds } from '../util/test-support/rounds.ts';
import { GraphBuilder } from './builder.ts';
import { canonicalGraph } from './canonical/fold.ts';
import { foldBatchNorm } from './canonical/fold-batch-norm.ts';
import { readModel, writeModel } from './codec/codec.ts';
import { ModelProtoSchema } from './codec/onnx_pb.ts';
import { modelCosts } from './costs/costs.ts';
import { floatConstant, int, intConstant, ints } from './graph.ts';
import { findStages } from './stages.ts';
import { randomConstant } from './test-support/models.ts';
import { richProto } from './test-support/rich-model.ts';

/** `npm run test:long` tries more. */
const ROUNDS = rounds(300, 2000);

/** A small network with shape arithmetic, as exporters write it. */
function network(): Uint8Array {
  const random = new Random(5);
  const builder = new GraphBuilder();
  const w = (...dims: number[]): string => builder.constant(randomConstant(random, dims), 'w');
  builder.input('x', ['N', 2, 6, 6]);
  const conv = builder.node('Conv', ['x', w(4, 2, 3, 3), w(4)], { pads: ints([1, 1, 1, 1]) });
  const ones = builder.constant(floatConstant([1, 1, 1, 1]));
  const norm = builder.node('BatchNormalization', [conv, ones, w(4), w(4), ones]);
  const pool = builder.node('MaxPool', [norm], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
  const sum = builder.node('Add', [pool, builder.node('Relu', [pool])]);
  const shape = builder.node('Shape', [sum]);
  const size = builder.node('Gather', [shape, builder.constant(intConstant([0], []))], { axis: int(0) });
  const list = builder.node('Unsqueeze', [size, builder.ints([0])]);
  const target = builder.node('Concat', [list, builder.ints([-1])], { axis: int(0) });
  const cut = builder.node('Slice', [sum, builder.ints([0]), builder.ints([3]), builder.ints([2])]);
  const flat = builder.node('Reshape', [cut, target]);
  builder.output(builder.node('Gemm', [flat, w(36, 3), w(3)], {}, 'y'), ['N', 3]);
  return writeModel(builder.model());
}

function damage(bytes: Uint8Array, random: Random): Uint8Array {
  if (random.integer(4) === 0) return bytes.slice(0, random.integer(bytes.length));
  const copy = bytes.slice();
  for (let flips = 1 + random.integer(3); flips > 0; flips--) {
    const at = random.integer(copy.length);
    copy[at] = random.integer(2) === 0 ? random.integer(256) : (copy[at] ?? 0) ^ (1 << random.integer(8));
  }
  return copy;
}

describe.each([
  ['a network', network()],
  ['a model that uses every corner of the format', toBinary(ModelProtoSchema, richProto())],
])('%s, damaged', (_, bytes) => {
  it(`${ROUNDS} times is read and rewritten, or refused with a code`, () => {
    const random = new Random(11);
    const outcomes = { read: 0, refused: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      try {
        const model = readModel(damage(bytes, random), 'damaged');
        outcomes.read++;
        readModel(writeModel(model), 'rewritten');
        const canonical = foldBatchNorm(canonicalGraph(model));
        modelCosts(canonical);
        findStages(canonical);
        readModel(writeModel(canonical), 'canonical');
      } catch (error) {
        if (!BedsideError.is(error) || error.code === 'E_INTERNAL') throw error;
        outcomes.refused++;
      }
    }
    expect(outcomes.read).toBeGreaterThan(ROUNDS / 10);
    expect(outcomes.refused).toBeGreaterThan(ROUNDS / 10);
  });
});
