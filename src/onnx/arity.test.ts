import { describe, expect, it } from 'vitest';
import { GraphBuilder } from './builder.ts';
import { readModel, writeModel } from './codec/codec.ts';

describe('a node that lacks what it cannot do without', () => {
  const bytes = (op: string, inputs: readonly string[], outputs = ['y']): Uint8Array => {
    const builder = new GraphBuilder();
    builder.input('x', ['N', 3]);
    builder.graph.nodes.push({
      name: 'n',
      op,
      domain: '',
      inputs: [...inputs],
      outputs,
      attributes: new Map(),
    });
    builder.output('y', ['N', 3]);
    return writeModel(builder.model());
  };

  it.each([
    ['BatchNormalization', ['x', 'x', 'x', 'x'], /BatchNormalization 'n' has no input 4 of 5/],
    ['BatchNormalization', ['x', '', 'x', 'x', 'x'], /has no input 1 of 5/],
    ['Conv', ['x'], /Conv 'n' has no input 1 of 2/],
    ['Add', ['x'], /has no input 1 of 2/],
    ['Relu', [], /has no input 0 of 1/],
  ])('%s of %j is refused', (op, inputs, message) => {
    expect(() => readModel(bytes(op, inputs), 'm')).toThrow(
      expect.objectContaining({ code: 'E_MODEL', message: expect.stringMatching(message) }),
    );
  });

  it('in its output too; optional inputs and unknown operators may be without', () => {
    expect(() => readModel(bytes('Relu', ['x'], ['']), 'm')).toThrow(/has no output 0/);
    expect(readModel(bytes('Clip', ['x', '', '']), 'm').graph.nodes).toHaveLength(1);
    expect(readModel(bytes('Unheard', []), 'm').graph.nodes).toHaveLength(1);
  });
});
