import { describe, expect, it } from 'vitest';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { GraphBuilder } from './builder.ts';
import { floatConstant, type Graph, intConstant, type Model } from './graph.ts';
import { findStages } from './stages.ts';
import {
  extractSubgraph,
  insertAfter,
  removeDead,
  removeNode,
  replaceConstant,
  sliceAxis,
} from './surgery.ts';
import {
  distance,
  randomConstant,
  randomFeeds,
  run,
  SHARED_MODELS,
  sharedModel,
} from './test-support/models.ts';

function chain(): Model {
  const builder = new GraphBuilder();
  const random = new Random(4);
  builder.input('x', ['N', 6]);
  const a = builder.node('Gemm', ['x', builder.constant(randomConstant(random, [6, 5]), 'w')], {}, 'a');
  const b = builder.node('Relu', [a], {}, 'b');
  builder.output(builder.node('Add', [b, a], {}, 'y'), ['N', 5]);
  return builder.model();
}

const wiring = (graph: Graph): string[] => graph.nodes.map((node) => `${node.inputs} -> ${node.outputs}`);

describe('removeNode, insertAfter, removeDead', () => {
  it('passes readers on to the removed node’s input', () => {
    const { graph } = chain();
    removeNode(graph, must(graph.nodes[1], 'relu'));
    expect(wiring(graph)).toEqual(['x,w -> a', 'a,a -> y']);
  });

  it('does not remove what makes an output', () => {
    const { graph } = chain();
    expect(() => removeNode(graph, must(graph.nodes[2], 'add'))).toThrow(/its output has to stay/);
  });

  it('inserts between a value and all its readers', () => {
    const { graph } = chain();
    insertAfter(graph, 'a', {
      name: 'n',
      op: 'Sigmoid',
      domain: '',
      inputs: ['a'],
      outputs: ['s'],
      attributes: new Map(),
    });
    expect(wiring(graph)).toEqual(['x,w -> a', 'a -> s', 's -> b', 'b,s -> y']);
  });

  it('removes what no output needs', () => {
    const { graph } = chain();
    graph.outputs = [{ name: 'b', elemType: 1, dims: undefined }];
    graph.constants.set('unread', floatConstant([1]));
    removeDead(graph);
    expect(wiring(graph)).toEqual(['x,w -> a', 'a -> b']);
    expect([...graph.constants.keys()]).toEqual(['w']);
  });

  it('replaces a constant that exists', () => {
    const { graph } = chain();
    replaceConstant(graph, 'w', floatConstant([1]));
    expect(graph.constants.get('w')).toEqual(floatConstant([1]));
    expect(() => replaceConstant(graph, 'ghost', floatConstant([1]))).toThrow(/no constant 'ghost'/);
  });
});

describe('sliceAxis', () => {
  it('takes entries of any axis in the given order', () => {
    const constant = floatConstant([0, 1, 2, 3, 4, 5], [2, 3]);
    expect(sliceAxis(constant, 1, [2, 0])).toEqual(floatConstant([2, 0, 5, 3], [2, 2]));
    expect(sliceAxis(constant, 0, [1])).toEqual(floatConstant([3, 4, 5], [1, 3]));
    expect(sliceAxis(intConstant([7, 8, 9]), 0, [2, 2, 0])).toEqual(intConstant([9, 9, 7]));
  });

  it('refuses what is out of range', () => {
    expect(() => sliceAxis(floatConstant([1, 2]), 0, [2])).toThrow(/index 2 of an axis of 2/);
    expect(() => sliceAxis(floatConstant([1, 2]), 1, [0])).toThrow(/axis 1/);
  });
});

describe('extractSubgraph', () => {
  it('cuts a part out, with its sizes', () => {
    const part = extractSubgraph(chain(), ['a'], ['b']);
    expect(wiring(part.graph)).toEqual(['a -> b']);
    expect(part.graph.constants.size).toBe(0);
    expect(part.graph.inputs).toEqual([{ name: 'a', elemType: 1, dims: ['N', 5] }]);
    expect(part.graph.outputs).toEqual([{ name: 'b', elemType: 1, dims: ['N', 5] }]);
  });

  it('refuses when an input is missing', () => {
    expect(() => extractSubgraph(chain(), ['b'], ['y'])).toThrow(/'x' is missing/);
    expect(() => extractSubgraph(chain(), ['x'], ['ghost'])).toThrow(/'ghost' is missing/);
  });

  it.skipIf(SHARED_MODELS.length === 0)(
    'stages run one after another give what the whole gives (needs the shared folder)',
    async () => {
      const model = sharedModel(must(SHARED_MODELS[0], 'model'));
      const feeds = randomFeeds(model, 2);
      let value = must(feeds.input, 'input');
      let name = 'input';
      for (const stage of findStages(model)) {
        const part = extractSubgraph(model, [name], [stage.output]);
        value = must((await run(part, { [name]: value }))[stage.output], stage.output);
        name = stage.output;
      }
      expect(distance(value, (await run(model, feeds)).logits)).toBeLessThan(1e-5);
    },
  );
});
