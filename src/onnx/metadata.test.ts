// What a model says of itself, through writing, canonical form and slicing.
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from './builder.ts';
import { canonicalGraph } from './canonical/fold.ts';
import { readModel, writeModel } from './codec/codec.ts';
import { cloneModel } from './graph.ts';
import { metadataOf, withMetadata } from './metadata.ts';

function small() {
  const builder = new GraphBuilder();
  builder.input('x', ['N', 4]);
  builder.output(builder.node('Relu', ['x'], {}, 'y'), ['N', 4]);
  return builder.model();
}

describe('metadata', () => {
  it('is set, replaced, written and read, and stays through copies', () => {
    const model = small();
    const set = withMetadata(withMetadata(withMetadata(model, 'a', '1'), 'b', '2'), 'a', '3');
    expect(metadataOf(model, 'a')).toBeUndefined();
    const read = readModel(writeModel(set), 'm');
    for (const one of [set, read, cloneModel(read), canonicalGraph(read)]) {
      expect([metadataOf(one, 'a'), metadataOf(one, 'b'), metadataOf(one, 'c')]).toEqual([
        '3',
        '2',
        undefined,
      ]);
    }
  });
});
