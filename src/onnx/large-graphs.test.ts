// Graphs with more names than a call takes arguments.
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { readExternalData } from './codec/external.ts';
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
} from './codec/onnx_pb.ts';
import type { Node } from './graph.ts';
import { readsOf } from './order.ts';

const MANY = 200_000;
const names = Array.from({ length: MANY }, (_, i) => `v${i}`);

describe('a graph of 200,000 names', () => {
  it('is searched for external data', async () => {
    const initializer = names.map((name) => create(TensorProtoSchema, { name }));
    const model = create(ModelProtoSchema, { graph: create(GraphProtoSchema, { initializer }) });
    await expect(readExternalData(model, 'm.onnx')).resolves.toBeUndefined();
  });

  it('has its outer reads found when it is a branch of an If', () => {
    const inner = create(NodeProtoSchema, { opType: 'Concat', input: names, output: ['out'] });
    const carried = create(AttributeProtoSchema, {
      name: 'then_branch',
      g: create(GraphProtoSchema, { node: [inner] }),
    });
    const node: Node = {
      name: 'if',
      op: 'If',
      domain: '',
      inputs: ['c'],
      outputs: ['y'],
      attributes: new Map([['then_branch', { type: 'other', carried }]]),
    };
    expect(readsOf(node)).toHaveLength(MANY + 1);
  });
});
