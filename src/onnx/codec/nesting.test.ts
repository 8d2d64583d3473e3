// Models that nest too deeply or call themselves are refused with a code, never with a full stack.
import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { BedsideError } from '../../util/index.ts';
import { readModel } from './codec.ts';
import { ModelProtoSchema } from './onnx_pb.ts';

const value = (name: string) => ({
  name,
  type: { value: { case: 'tensorType' as const, value: { elemType: 1 } } },
});

/** A field of a protobuf message: its number, and bytes. */
function field(number: number, content: Uint8Array): Uint8Array {
  const length: number[] = [];
  for (let rest = content.length; ; rest = Math.floor(rest / 128)) {
    length.push(rest >= 128 ? (rest % 128) | 128 : rest);
    if (rest < 128) break;
  }
  return Uint8Array.from([number * 8 + 2, ...length, ...content]);
}

const text = (words: string): Uint8Array => new TextEncoder().encode(words);

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => Array.from(part)));
}

/** A model of Ifs inside each other, as bytes. */
function nested(depth: number): Uint8Array {
  const relu = joined(field(1, text('x')), field(2, text('y')), field(4, text('Relu')));
  const named = (nodes: Uint8Array): Uint8Array => joined(field(1, nodes), field(12, field(1, text('y'))));
  let graph = named(relu);
  for (let i = 0; i < depth; i++) {
    const attribute = joined(field(1, text('then_branch')), Uint8Array.of(0xa0, 1, 5), field(6, graph));
    graph = named(
      joined(field(1, text('x')), field(2, text('y')), field(4, text('If')), field(5, attribute)),
    );
  }
  const whole = joined(graph, field(11, field(1, text('x'))));
  return joined(Uint8Array.of(8, 8), field(7, whole), field(8, Uint8Array.of(16, 17)));
}

/** Functions of one node each or more: `calls[i]` lists those that function i calls. */
function withFunctions(calls: readonly (readonly number[])[]): Uint8Array {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: [{ version: 17n }, { domain: 'own', version: 1n }],
      graph: {
        node: [{ opType: 'f0', domain: 'own', input: ['x'], output: ['y'] }],
        input: [value('x')],
        output: [value('y')],
      },
      functions: calls.map((called, i) => ({
        name: `f${i}`,
        domain: 'own',
        input: ['a'],
        output: ['b'],
        opsetImport: [{ version: 17n }],
        node: [
          { opType: 'Relu', input: ['a'], output: ['b'] },
          ...called.map((other) => ({ opType: `f${other}`, domain: 'own', input: ['a'], output: ['c'] })),
        ],
      })),
    }),
  );
}

function codeOf(bytes: Uint8Array): string {
  try {
    readModel(bytes, 'm');
    return 'read';
  } catch (error) {
    expect(String(error)).not.toMatch(/call stack|recursion|truncated/);
    return BedsideError.is(error) ? error.code : String(error);
  }
}

describe('subgraphs', () => {
  it.each([
    [0, 'read'],
    [20, 'read'],
    [32, 'read'],
    [33, 'E_MODEL'],
    [200, 'E_MODEL'],
  ])('%i deep', (depth, outcome) => {
    expect(codeOf(nested(depth))).toBe(outcome);
  });
});

describe('functions', () => {
  const chain = (length: number): number[][] =>
    Array.from({ length }, (_, i) => (i + 1 < length ? [i + 1] : []));
  const cases: readonly [string, number[][], string][] = [
    ['that call none', [[], []], 'read'],
    ['that call another', chain(10), 'read'],
    ['that call themselves', [[0]], 'E_MODEL'],
    ['that call each other', [[1], [2], [1]], 'E_MODEL'],
    ['in a long chain', chain(20_000), 'E_UNSUPPORTED'],
    [
      'that double at every call',
      Array.from({ length: 30 }, (_, i) => (i < 29 ? [i + 1, i + 1] : [])),
      'E_UNSUPPORTED',
    ],
  ];
  it.each(cases)('%s', (_, calls, outcome) => {
    expect(codeOf(withFunctions(calls))).toBe(outcome);
  });
});
