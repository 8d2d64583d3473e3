import { describe, expect, it } from 'vitest';
import { writeModel } from '../onnx/index.ts';
import { floatConstant, GraphBuilder, intConstant } from '../onnx/internal.ts';
import { createSession, tensor } from './index.ts';
import { engineWords } from './words.ts';

describe('what the engine says', () => {
  it.each([
    [
      "Non-zero status code returned while running Pad node. Name:'Pad' Status Message: /onnxruntime_src/onnxruntime/core/providers/cpu/tensor/pad.cc:817 virtual onnxruntime::common::Status onnxruntime::Pad::Compute(onnxruntime::OpKernelContext*) const value_tensor->Shape().Size() == 1 was false. Value tensor should be a 1D tensor\n",
      "node 'Pad' (Pad): Value tensor should be a 1D tensor",
    ],
    [
      "Non-zero status code returned while running Reshape node. Name:'r' Status Message: /src/core/reshape_helper.h:44 onnxruntime::ReshapeHelper::ReshapeHelper(const onnxruntime::TensorShape&, onnxruntime::TensorShapeVector&, bool) input_shape_size == size was false. The input tensor cannot be reshaped to the requested shape. Input shape:{2,3}, requested shape:{4}",
      "node 'r' (Reshape): The input tensor cannot be reshaped to the requested shape. Input shape:{2,3}, requested shape:{4}",
    ],
    [
      '[ONNXRuntimeError] : 10 : INVALID_GRAPH : Load model from m.onnx failed:This is an invalid model. Error in Node:x : No Op registered for Nope with domain_version of 14',
      'Error in Node:x : No Op registered for Nope with domain_version of 14',
    ],
    ['something else', 'something else'],
  ])('%s', (raw, words) => expect(engineWords(raw)).toBe(words));

  it('names the node that failed, without the engine’s own words, as it loads and as it runs', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N', 6]);
    const sizes = builder.node('Concat', [builder.ints([5]), builder.node('Shape', [x])], {});
    builder.output(builder.node('Reshape', [x, sizes], {}, 'reshaped'), undefined);
    const model = builder.model();
    const session = await createSession(
      {
        ...model,
        graph: {
          ...model.graph,
          nodes: model.graph.nodes.map((node) =>
            node.op === 'Concat'
              ? { ...node, attributes: new Map([['axis', { type: 'int', value: 0 }]]) as never }
              : node,
          ),
        },
      },
      { name: 'the model' },
    );
    const ran = session.run({ x: tensor(new Float32Array(12), [2, 6]) });
    await expect(ran).rejects.toMatchObject({
      code: 'E_ENGINE',
      message: expect.stringMatching(
        /^ONNX Runtime failed while running the model: node 'reshaped.*' \(Reshape\): [A-Z]/,
      ),
    });
    await expect(ran).rejects.not.toMatchObject({
      message: expect.stringMatching(/Non-zero|onnxruntime|\.cc|\.h:/),
    });
    await session.release();
    const wrong = new GraphBuilder();
    wrong.output(
      wrong.node('Conv', [
        wrong.input('x', ['N', 2, 6, 6]),
        wrong.constant(floatConstant([1])),
        wrong.constant(intConstant([1])),
      ]),
      undefined,
    );
    await expect(createSession(writeModel(wrong.model()), { name: 'the model' })).rejects.toMatchObject({
      code: 'E_ENGINE',
      message: expect.not.stringMatching(/ONNXRuntimeError|onnxruntime\/|\.cc:|\.h:/),
    });
  });
});
