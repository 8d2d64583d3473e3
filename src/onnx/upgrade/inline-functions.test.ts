// Functions of a model, written out, compute what the engine makes of the calls.
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../builder.ts';
import { writeModel } from '../codec/codec.ts';
import {
  AttributeProtoSchema,
  FunctionProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
} from '../codec/onnx_pb.ts';
import { writeNode } from '../codec/write.ts';
import { type Attribute, float, type Model, type Node } from '../graph.ts';
import { compareModels } from '../test-support/models.ts';
import { withoutFunctions } from './inline-functions.ts';

const DOMAIN = 'local';

const node = (
  op: string,
  inputs: string[],
  outputs: string[],
  attributes: Record<string, Attribute> = {},
  domain = '',
): Node => ({
  name: `${op}_${outputs[0]}`,
  op,
  domain,
  inputs,
  outputs,
  attributes: new Map(Object.entries(attributes)),
});

/** An attribute that takes the value of one of the call. */
const refersTo = (name: string, of: string): Attribute => ({
  type: 'other',
  carried: create(AttributeProtoSchema, { name, refAttrName: of, type: 1 }),
});

function define(name: string, nodes: readonly Node[], opset: number, more = {}) {
  return create(FunctionProtoSchema, {
    name,
    domain: DOMAIN,
    input: ['x'],
    output: ['y'],
    node: nodes.map(writeNode),
    opsetImport: [
      create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(opset) }),
      create(OperatorSetIdProtoSchema, { domain: DOMAIN, version: 1n }),
    ],
    ...more,
  });
}

/** Two calls of a function that calls another one. */
function model(opset: number, functionOpset = opset): Model {
  const slope = create(AttributeProtoSchema, { name: 'slope', type: 1, f: 0.3 });
  const leak = define(
    'Leak',
    [node('LeakyRelu', ['x'], ['y'], { alpha: refersTo('alpha', 'slope') })],
    opset,
    {
      attributeProto: [slope],
    },
  );
  const twice = define(
    'Twice',
    [
      node('Leak', ['x'], ['inner'], { slope: refersTo('slope', 'outer') }, DOMAIN),
      node('ReduceMax', ['inner'], ['most']),
      node('Leak', ['most'], ['bent'], {}, DOMAIN),
      node('Sub', ['inner', 'bent'], ['y']),
    ],
    functionOpset,
    { attribute: ['outer'] },
  );
  const builder = new GraphBuilder();
  const x = builder.input('x', ['N', 3]);
  builder.graph.nodes.push(
    node('Twice', [x], ['inner'], { outer: float(0.1) }, DOMAIN),
    node('Twice', ['inner'], ['result'], {}, DOMAIN),
  );
  builder.output('result', ['N', 3]);
  const made = builder.model(opset);
  made.opsets.set(DOMAIN, 1);
  return { ...made, carried: create(ModelProtoSchema, { functions: [leak, twice] }) };
}

const BODY = ['LeakyRelu', 'ReduceMax', 'LeakyRelu', 'Sub'];

describe('withoutFunctions', () => {
  it('writes nested calls out, with attributes by reference and defaults', async () => {
    const given = model(17);
    const bytes = writeModel(given);
    const plain = withoutFunctions(given);
    expect(plain.graph.nodes.map(({ op }) => op)).toEqual([...BODY, ...BODY]);
    expect(plain.carried?.functions).toEqual([]);
    expect(await compareModels(bytes, plain)).toBe(0);
  });

  it('leaves a call whose function is of an operator set in which an operator has another form', () => {
    const plain = withoutFunctions(model(18, 17));
    expect(plain.graph.nodes.map(({ op }) => op)).toEqual(['Twice', 'Twice']);
    expect(plain.carried?.functions).toHaveLength(2);
  });

  it('returns a model without functions as it is', () => {
    const builder = new GraphBuilder();
    builder.output(builder.node('Relu', [builder.input('x', ['N', 3])]), undefined);
    const plain = builder.model();
    expect(withoutFunctions(plain)).toBe(plain);
  });
});
