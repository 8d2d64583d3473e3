// Requests that are malformed as HTTP: heads, lengths, paths, and senders that give up.
import { CRLF, type Maker, type Malformed, pick, post, type Target, valid } from './malformed-parts.ts';

const get = (path: string, method = 'GET'): Buffer =>
  Buffer.from(`${method} ${path} HTTP/1.1${CRLF}host: a${CRLF}${CRLF}`, 'latin1');

const raw = (text: string): Omit<Malformed, 'kind'> => ({ pieces: [Buffer.from(text, 'latin1')] });

/** The head of a POST with these lines, and a body. */
const head = (target: Target, lines: readonly string[], body = '{}'): Omit<Malformed, 'kind'> =>
  raw([`POST /v2/models/${encodeURIComponent(target.name)}/infer HTTP/1.1`, ...lines, '', body].join(CRLF));

/** Paths that lead nowhere, or out of where they seem to lead. */
const PATHS = [
  '/../../etc/passwd',
  '/v2/../../../etc/shadow',
  '/v2/models/..%2f..%2f..%2fetc%2fpasswd',
  '/v2/models/%2e%2e/%2e%2e',
  '/v2/models/%00',
  '/v2/models/a%00b/ready',
  '/v2/models/%ff%fe',
  '/v2/models/%',
  '/v2/models/%zz/infer',
  '/v2/models/__proto__',
  '/v2/models/constructor/plan',
  '/v2/models/toString/ready',
  '/v2/models//infer',
  '//v2/models',
  '///',
  '/v2/models/x/versions/__proto__/ready',
  '/v2\\models',
  '/v2/models/../models/..;/x',
  '/.git/config',
  '/metrics/../v2/x',
  '/v2/repository/index',
  `/v2/models/${'a'.repeat(300)}`,
  `/${'a/'.repeat(500)}`,
  `/v2/models/${'%41'.repeat(200)}/infer`,
];

/** The kinds. */
export const HTTP_KINDS: Readonly<Record<string, Maker>> = {
  'headers: huge': (target, random) => {
    const large = 'a'.repeat(17_000 + random.integer(50_000));
    return head(target, ['host: a', `x-large: ${large}`, 'content-length: 2']);
  },
  'headers: many': (target, random) => {
    const many = Array.from({ length: 2000 + random.integer(2000) }, (_, i) => `x-header-${i}: ${i}`);
    return head(target, ['host: a', ...many, 'content-length: 2']);
  },
  'headers: damaged': (target, random) =>
    head(target, [
      'host: a',
      pick(random, [
        'no colon',
        ': no name',
        'bad name: 1',
        'x: \u0000',
        'x\u0000y: 1',
        'x: a\rb',
        '\u00e9: 1',
      ]),
      'content-length: 2',
    ]),
  'headers: none of a host': (target) => head(target, ['content-length: 2']),
  'headers: lengths that contradict': (target, random) =>
    head(target, [
      'host: a',
      ...pick(random, [
        ['content-length: 2', 'content-length: 3'],
        ['content-length: 2', 'transfer-encoding: chunked'],
        ['content-length: -2'],
        ['content-length: 2x'],
        ['content-length: 99999999999999999999999999'],
        ['transfer-encoding: chunked, identity', 'content-length: 2'],
      ]),
    ]),
  'headers: an expectation': (target) => head(target, ['host: a', 'expect: miracles', 'content-length: 2']),
  'chunks: damaged': (target, random) =>
    head(
      target,
      ['host: a', 'transfer-encoding: chunked'],
      pick(random, ['zz\r\n{}\r\n', '-1\r\n', '2\r\n{}}}}', 'fffffffffffffffffff\r\n']),
    ),
  'no HTTP': (_target, random) =>
    pick(random, [
      raw('\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003'),
      raw('GET\r\n\r\n'),
      raw('FOO BAR BAZ QUX\r\n\r\n'),
      raw('GET / HTTP/9.9\r\nhost: a\r\n\r\n'),
      raw('GET /\u00e9 HTTP/1.1\r\nhost: a\r\n\r\n'),
      raw('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      raw(`${'\u0000'.repeat(100)}\r\n\r\n`),
      raw('*1\r\n$4\r\nPING\r\n'),
      raw('CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n'),
    ]),
  'a path that leads nowhere': (_target, random) => ({ pieces: [get(pick(random, PATHS))] }),
  'another method': ({ name }, random) => ({
    pieces: [
      get(
        `/v2/models/${encodeURIComponent(name)}/infer`,
        pick(random, ['GET', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'OPTIONS']),
      ),
    ],
  }),
  'slow: a malformed request in pieces': (target, random) => {
    const bytes = post(target, '{"inputs": 1}');
    const at = 1 + random.integer(bytes.length - 1);
    return { pieces: [bytes.subarray(0, at), bytes.subarray(at)] };
  },
  'gives up in the middle': (target, random) => {
    const bytes = post(target, JSON.stringify(valid(target, random)));
    return { pieces: [bytes.subarray(0, 1 + random.integer(bytes.length - 2))], ends: true };
  },
};
