// Malformed requests: what a broken or hostile sender may put on a connection, drawn by a seed.
import { deflateSync, gzipSync } from 'node:zlib';
import { must } from '../../util/index.ts';
import type { Random } from '../../util/internal.ts';
import { HTTP_KINDS } from './malformed-http.ts';
import { count, type Maker, type Malformed, pick, post, type Target, valid } from './malformed-parts.ts';

export type { Malformed, Target } from './malformed-parts.ts';

/** Values that are none of what a member should be. */
const NONSENSE: readonly unknown[] = [
  null,
  true,
  -1,
  1.5,
  1e300,
  'x',
  '',
  {},
  [[]],
  [null],
  { length: 1 },
  '__proto__',
];

const json =
  (spoil: (request: ReturnType<typeof valid>, random: Random, target: Target) => unknown): Maker =>
  (target, random) => ({
    pieces: [post(target, JSON.stringify(spoil(valid(target, random), random, target)))],
  });

/** A change of the only input. */
const input = (change: (random: Random, target: Target) => object): Maker =>
  json((request, random, target) => ({ inputs: [{ ...request.inputs[0], ...change(random, target) }] }));

function binary(
  target: Target,
  random: Random,
  change: { readonly size?: unknown; readonly cut?: number; readonly json?: string; readonly more?: Buffer },
): Buffer {
  const bytes = Buffer.from(Float32Array.from({ length: count(target) }, () => random.normal()).buffer);
  const head = Buffer.from(
    JSON.stringify({
      inputs: [
        {
          ...{ name: target.input, shape: [1, ...target.shape], datatype: 'FP32' },
          parameters: { binary_data_size: change.size ?? bytes.length },
        },
      ],
    }),
  );
  const sent = bytes.subarray(0, bytes.length - (change.cut ?? 0));
  const body = Buffer.concat([head, sent, change.more ?? Buffer.alloc(0)]);
  return post(target, body, [`inference-header-content-length: ${change.json ?? head.length}`]);
}

const KINDS: Readonly<Record<string, Maker>> = {
  'JSON: cut': (target, random) => {
    const text = JSON.stringify(valid(target, random));
    return { pieces: [post(target, text.slice(0, random.integer(text.length - 1)))] };
  },
  'JSON: a changed byte': (target, random) => {
    const bytes = Buffer.from(JSON.stringify(valid(target, random)));
    bytes[random.integer(bytes.length)] = random.integer(256);
    return { pieces: [post(target, bytes)], mayPass: true };
  },
  'JSON: no UTF-8': (target, random) => ({
    pieces: [
      post(
        target,
        Buffer.concat([
          Buffer.from('{"id": "'),
          Buffer.from([0xc3, 0x28, random.integer(256)]),
          Buffer.from('"}'),
        ]),
      ),
    ],
  }),
  'JSON: deep lists': (target, random) => {
    const depth = 10 ** (1 + random.integer(4));
    const data = `${'['.repeat(depth)}1${']'.repeat(depth)}`;
    const text = `{"inputs":[{"name":"${target.input}","shape":[1,${target.shape}],"datatype":"FP32","data":${data}}]}`;
    return { pieces: [post(target, text)] };
  },
  'JSON: another value': (target, random) => ({
    pieces: [
      post(
        target,
        pick(random, [
          '',
          'null',
          '[]',
          '0',
          '"x"',
          'NaN',
          '{}',
          '{"inputs":[]}',
          '{"inputs":[null]}',
          '{"inputs":[[]]}',
        ]),
      ),
    ],
  }),
  'JSON: __proto__': (target, random) => {
    const own = JSON.stringify(valid(target, random)).slice(1, -1);
    const name = pick(random, ['__proto__', 'constructor', 'prototype']);
    return { pieces: [post(target, `{"${name}":{${own}}}`)] };
  },
  'a member of another type': json((request, random) => {
    const name = pick(random, ['name', 'shape', 'datatype', 'data']);
    return { inputs: [{ ...request.inputs[0], [name]: pick(random, NONSENSE) }] };
  }),
  'a member is missing': json((request, random) => {
    const name = pick(random, ['name', 'shape', 'datatype', 'data']);
    return { inputs: [{ ...request.inputs[0], [name]: undefined }] };
  }),
  'a shape that does not fit': input((random, { shape }) => ({
    shape: pick<unknown>(random, [
      [...shape],
      [1, ...shape, 1],
      [2, ...shape],
      [0, ...shape],
      [-1, ...shape],
      [1e9, 1e9],
      [2 ** 53, 2 ** 53],
      [1.5, ...shape],
      ['1', ...shape],
      [],
      [1, ...shape.map((size) => size + 1)],
    ]),
  })),
  'a datatype that is none': input((random) => ({
    datatype: pick(random, [
      'BYTES',
      'FP8',
      'fp32',
      '__proto__',
      'constructor',
      'FP32\u0000',
      'x'.repeat(10_000),
    ]),
  })),
  'data that do not fit': input((random, target) => ({
    data: pick<unknown>(random, [
      [],
      [1, 2],
      Array.from({ length: count(target) + 1 }, () => 0),
      Array.from({ length: count(target) }, () => null),
      Array.from({ length: count(target) }, () => '1'),
      Array.from({ length: count(target) }, () => 1e300),
      'text',
      { 0: 1, length: count(target) },
    ]),
  })),
  'another input': json((request, random) => ({
    inputs: pick<unknown>(random, [
      [{ ...request.inputs[0], name: 'other' }],
      [request.inputs[0], request.inputs[0]],
      [request.inputs[0], { ...request.inputs[0], name: '__proto__' }],
      Array.from({ length: 65 }, () => request.inputs[0]),
    ]),
  })),
  'an output that is none': json((request, random) => ({
    ...request,
    outputs: pick<unknown>(random, [{}, 'x', [{}], [{ name: 'nope' }], [null], [{ name: '__proto__' }]]),
  })),
  'a parameter that is none': json((request, random) => ({
    ...request,
    parameters: pick<unknown>(random, [
      { deadline: -1 },
      { deadline: 'soon' },
      { timeout: -5 },
      { accuracy_floor: 2 },
      { levels: '9,9,9' },
      { levels: '__proto__' },
      { variant: 1e9 },
      { variant: -1 },
      { solver: 'magic' },
      { solver: '__proto__' },
      { explain: 'perhaps' },
      { binary_data_output: 1 },
      'x',
      [],
    ]),
  })),
  'an id that is none': json((request, random) => ({
    ...request,
    id: pick<unknown>(random, [7, {}, [], true, null, 'x'.repeat(1000)]),
  })),
  'bytes: cut': (target, random) => ({
    pieces: [binary(target, random, { cut: 1 + random.integer(4 * count(target)) })],
  }),
  'bytes: too many': (target, random) => ({
    pieces: [binary(target, random, { more: Buffer.alloc(1 + random.integer(100)) })],
  }),
  'bytes: another size': (target, random) => ({
    pieces: [
      binary(target, random, {
        size: pick<unknown>(random, [0, 4, -4, 1.5, 1e15, 2 ** 53, '1024', 4 * count(target) + 4]),
      }),
    ],
  }),
  'bytes: another length of the JSON': (target, random) => ({
    pieces: [
      binary(target, random, {
        json: pick(random, [
          '0',
          '1',
          '-1',
          '1e2',
          '0x10',
          '999999999',
          '9'.repeat(30),
          'abc',
          '',
          '12, 13',
          '١٢',
        ]),
      }),
    ],
  }),
  'compression: damaged': (target, random) => {
    const [encoding, pack] = pick(random, [
      ['gzip', gzipSync],
      ['deflate', deflateSync],
      ['br', gzipSync],
    ] as const);
    const bytes = pack(JSON.stringify(valid(target, random)));
    const cut = bytes.subarray(0, 1 + random.integer(bytes.length - 1));
    return { pieces: [post(target, cut, [`content-encoding: ${encoding}`])] };
  },
  'compression: unknown': (target, random) => ({
    pieces: [
      post(target, JSON.stringify(valid(target, random)), [
        `content-encoding: ${pick(random, ['zstd', 'compress', 'gzip, gzip', '__proto__', 'constructor'])}`,
      ]),
    ],
  }),
  'compression: a bomb': (target) => ({
    pieces: [
      post(target, gzipSync(Buffer.alloc(target.bodyLimit + 1, 32), { level: 1 }), [
        'content-encoding: gzip',
      ]),
    ],
  }),
  'a body that is too large': (target) => ({
    pieces: [post(target, '{', [], String(target.bodyLimit + 1))],
    ends: true,
  }),
};

/** What is wrong with requests, and with the HTTP around them. */
const ALL: Readonly<Record<string, Maker>> = { ...KINDS, ...HTTP_KINDS };

/** All kinds. */
export const MALFORMED_KINDS: readonly string[] = Object.keys(ALL);

/** The request of a kind. */
export function malformed(kind: string, target: Target, random: Random): Malformed {
  return { kind, ...must(ALL[kind], 'a kind')(target, random) };
}
