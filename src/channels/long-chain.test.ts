// A chain of many nodes: no walk takes the square of them, and none keeps them on the stack. (Of 100,000 on two quiet
// cores each step takes a second or two; a walk that went over all nodes for each node would take hours.)
import { describe, expect, it } from 'vitest';
import { findStages, type Model, modelCosts } from '../onnx/index.ts';
import {
  canonicalGraph,
  floatConstant,
  foldBatchNorm,
  GraphBuilder,
  int,
  sortNodes,
} from '../onnx/internal.ts';
import { rounds } from '../util/test-support/rounds.ts';
import { findGroups } from './groups.ts';
import { sliceModel } from './slice.ts';

const NODES = rounds(20_000, 100_000);

/** Weighted layers with what folding takes away between them, in steps of twenty nodes. */
function chain(): Model {
  const builder = new GraphBuilder();
  let x = builder.input('x', ['N', 2, 2]);
  const constant = (dims: number[], hint: string): string => {
    const size = dims.reduce((product, dim) => product * dim, 1);
    return builder.constant(floatConstant(new Float32Array(size).fill(0.5), dims), hint);
  };
  const vector = constant([2], 'vector');
  for (let i = 0; i < NODES / 20; i++) {
    x = builder.node('Conv', [x, constant([2, 2, 1], 'weight')], {}, 'layer');
    x = builder.node('BatchNormalization', [x, vector, vector, vector, vector]);
    for (let k = 0; k < 14; k++) x = builder.node('Identity', [x]);
    const factor = builder.node('Add', [vector, builder.scalar(i)]);
    x = builder.node('Mul', [x, builder.node('Reshape', [factor, builder.ints([2, 1])])]);
    x = builder.node('Relu', [x]);
  }
  builder.output(builder.node('ReduceMean', [x], { keepdims: int(0) }), ['N']);
  return builder.model(13);
}

describe(`a chain of ${NODES} nodes`, () => {
  it('is read, folded, grouped, counted, staged and cut', () => {
    const model = chain();
    sortNodes(model.graph, 'chain'); // what reading does
    expect(model.graph.nodes.length).toBe(NODES + 1);
    const canonical = foldBatchNorm(canonicalGraph(model));
    expect(canonical.graph.nodes.length).toBe((NODES / 20) * 3 + 1);
    const grouping = findGroups(canonical);
    expect(grouping.groups.length).toBe(NODES / 20 - 1);
    expect(grouping.frozen.length).toBe(1);
    expect(modelCosts(canonical).macs).toBe((NODES / 20) * 8);
    expect(findStages(canonical).length).toBe(NODES / 20);
    const cut = sliceModel(canonical, grouping, new Map(grouping.groups.map(({ id }) => [id, [0]])));
    const widths = cut.graph.nodes.flatMap(
      ({ inputs }) => cut.graph.constants.get(inputs[1] ?? '')?.dims[0] ?? [],
    );
    expect(widths.filter((width) => width === 2).length).toBe(2); // the last layer and its factor
  });
});
