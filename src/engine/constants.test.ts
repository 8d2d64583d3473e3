// Arithmetic on shapes that only the engine evaluates: what does not depend on the batch becomes a constant, nothing else.
import { describe, expect, it } from 'vitest';
import { canonicalGraph, ELEM, GraphBuilder, int } from '../onnx/internal.ts';
import { compareModels } from '../onnx/test-support/models.ts';
import { withEngineConstants } from './internal.ts';

/** The size of an axis of a value, as a one-axis tensor. */
function sizeAt(builder: GraphBuilder, value: string, axis: number): string {
  const shape = builder.node('Shape', [value]);
  return builder.node('Gather', [shape, builder.ints([axis])], { axis: int(0) });
}

const opsOf = (graph: { nodes: readonly { op: string }[] }): string[] => graph.nodes.map(({ op }) => op);

/** Padded to whole windows of four, as shifted windows are, by the remainder of a size that is read at run time. */
function windowed(axis: number): GraphBuilder {
  const builder = new GraphBuilder();
  const x = builder.input('x', ['N', 2, 6]);
  const bits = builder.node('BitwiseAnd', [sizeAt(builder, x, axis), builder.ints([3])]);
  const pads = builder.node('Concat', [builder.ints([0, 0, 0, 0, 0]), bits], { axis: int(0) });
  const padded = builder.node('Pad', [builder.node('Relu', [x]), pads], {}, 'padded');
  builder.output(builder.node('ReduceMean', [padded], {}, 'y'), undefined);
  return builder;
}

describe('withEngineConstants', () => {
  it('evaluates what no rule does, where it is the same at every batch size', async () => {
    const model = canonicalGraph(windowed(2).model(18));
    expect(opsOf(model.graph)).toContain('BitwiseAnd');
    const found = await withEngineConstants(model, 'windowed');
    expect(opsOf(found.graph)).toEqual(['Relu', 'Pad', 'ReduceMean']);
    expect(await compareModels(model, found, 3)).toBe(0);
  });

  it('leaves what follows the batch, and gives back a model without such values as it is', async () => {
    const batch = canonicalGraph(windowed(0).model(18));
    expect(await withEngineConstants(batch, 'of the batch')).toBe(batch);
    const builder = new GraphBuilder();
    builder.output(builder.node('Relu', [builder.input('x', ['N', 2])], {}, 'y'), ['N', 2]);
    const plain = canonicalGraph(builder.model());
    expect(await withEngineConstants(plain, 'plain')).toBe(plain);
  });

  it('leaves noise, and outputs of the graph', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N', 4]);
    const noise = builder.node('RandomNormal', [], { shape: { type: 'ints', value: [4n] } });
    builder.output(builder.node('Add', [x, noise], {}, 'y'), ['N', 4]);
    const size = builder.node('BitwiseAnd', [sizeAt(builder, x, 1), builder.ints([7])], {}, 'size');
    builder.output(size, [1], ELEM.int64);
    const model = canonicalGraph(builder.model(18));
    const found = await withEngineConstants(model, 'noisy');
    expect(opsOf(found.graph)).toContain('RandomNormal');
    expect(opsOf(found.graph)).toContain('BitwiseAnd');
  });

  it('gives back a model that the engine cannot run as it is: whatever needs the value says so', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N', 4]);
    const size = builder.node('NoSuchOperator', [sizeAt(builder, x, 1)]);
    builder.output(builder.node('Tile', [x, size], {}, 'y'), undefined);
    const model = canonicalGraph(builder.model(18));
    expect(await withEngineConstants(model, 'broken')).toBe(model);
  });
});
