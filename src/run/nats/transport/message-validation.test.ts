import { describe, expect, it } from 'vitest';
import type { NodeMessage } from '../../protocol/messages.ts';
import { isValidMessage } from './message-validation.ts';

describe('a message', () => {
  it.each([{ toString: 1 }, null, 7, ['end'], '__proto__', 'constructor', ''])(
    'of the kind %j is refused, whatever would become of it as text',
    (kind) => {
      const message = { kind, id: 'x', request: 'r' } as unknown as NodeMessage;
      expect(isValidMessage('coordinator/x', message)).toBe(false);
    },
  );

  it('with a plan whose source is no name is refused', () => {
    const plan = (source: unknown) => ({
      ...{ kind: 'warm', id: 'x', bundle: 'b' },
      plan: { levels: [], source, stages: [{ index: 0, segments: [{ device: 'a', from: 0, to: 1 }] }] },
    });
    const isValid = (source: unknown) =>
      isValidMessage('coordinator/x', plan(source) as unknown as NodeMessage);
    expect([undefined, 'b', 7, null, {}].map(isValid)).toEqual([true, true, false, false, false]);
  });

  it('of a known kind is taken from who may send it', () => {
    expect(isValidMessage('coordinator/x', { kind: 'ask', id: 'x' })).toBe(true);
    expect(isValidMessage('watch', { kind: 'ask', id: 'x' })).toBe(false);
  });
});
