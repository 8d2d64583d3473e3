// The bytes that clients of others send, written down from what was captured of them: the Python, C++ and Java HTTP
// clients of Triton (github.com/triton-inference-server/client), and what each needs of an answer.
import { deflateSync, gzipSync } from 'node:zlib';

/** What is asked for: a batch of one input, and one output. */
export interface ForeignCall {
  readonly path: string;
  readonly input: string;
  readonly output: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A request as it goes over the wire. */
export interface ForeignRequest {
  readonly client: string;
  readonly head: readonly string[];
  readonly body: Buffer;
  /** Whether scores come back as bytes. */
  readonly binary: boolean;
  /** The id that must come back. */
  readonly id: string | undefined;
}

const TIMEOUT = 5_000_000;

/** All requests of all clients for one call. */
export function foreignRequests(call: ForeignCall): ForeignRequest[] {
  return [
    ...[undefined, 'gzip', 'deflate'].flatMap((packed) => [python(call, true, packed), cpp(call, packed)]),
    python(call, false, undefined),
    java(call, true),
    java(call, false),
  ];
}

/** Lower-case names, no content type; members in the order id, inputs, outputs, parameters. */
function python(call: ForeignCall, binary: boolean, packed: string | undefined): ForeignRequest {
  const { json, tail } = bodyOf(call, binary, ({ input, output }) => ({
    ...{ id: 'q', inputs: [input], outputs: [output], parameters: { timeout: TIMEOUT } },
  }));
  const body = pack(Buffer.concat([json, tail]), packed);
  return {
    ...{ client: `Python, ${packed ?? (binary ? 'binary' : 'JSON')}`, body, binary, id: 'q' },
    head: [
      `POST ${call.path} HTTP/1.1`,
      'user-agent: python/gevent-http-client-2.0.8',
      ...(packed ? [`content-encoding: ${packed}`, `accept-encoding: ${packed}`] : []),
      ...(binary ? [`inference-header-content-length: ${json.length}`] : []),
      'host: 127.0.0.1',
      `content-length: ${body.length}`,
    ],
  };
}

/** Parameters before inputs, datatype before shape. */
function cpp(call: ForeignCall, packed: string | undefined): ForeignRequest {
  const { json, tail } = bodyOf(call, true, ({ input, output }) => {
    const { name, shape, datatype, ...rest } = input;
    return {
      ...{ id: 'q', parameters: { timeout: TIMEOUT } },
      ...{ inputs: [{ name, datatype, shape, ...rest }], outputs: [output] },
    };
  });
  const body = pack(Buffer.concat([json, tail]), packed);
  return {
    ...{ client: `C++, ${packed ?? 'binary'}`, body, binary: true, id: 'q' },
    head: [
      `POST ${call.path} HTTP/1.1`,
      'Host: 127.0.0.1',
      'User-Agent: libcurl-agent/1.0',
      'Accept: */*',
      `Inference-Header-Content-Length: ${json.length}`,
      ...(packed ? [`Content-Encoding: ${packed}`, `Accept-Encoding: ${packed}`] : []),
      'Content-Type: application/octet-stream',
      `Content-Length: ${body.length}`,
    ],
  };
}

/** Outputs before inputs, no id, no content type. */
function java(call: ForeignCall, binary: boolean): ForeignRequest {
  const { json, tail } = bodyOf(call, binary, ({ input, output }) => ({
    outputs: [output],
    inputs: [input],
  }));
  const body = Buffer.concat([json, tail]);
  return {
    ...{ client: `Java, ${binary ? 'binary' : 'JSON'}`, body, binary, id: undefined },
    head: [
      `POST ${call.path} HTTP/1.1`,
      ...(binary ? [`Inference-Header-Content-Length: ${json.length}`] : []),
      `Content-Length: ${body.length}`,
      'Host: 127.0.0.1',
      'Connection: Keep-Alive',
      'User-Agent: Apache-HttpAsyncClient/4.1.5 (Java/17.0.15)',
    ],
  };
}

interface Members {
  readonly input: { readonly name: string; readonly shape: readonly number[]; readonly datatype: string };
  readonly output: object;
}

function bodyOf(
  { input, output, shape, data }: ForeignCall,
  binary: boolean,
  order: (members: Members) => object,
): { readonly json: Buffer; readonly tail: Buffer } {
  const tensor = { name: input, shape, datatype: 'FP32' };
  const sent = binary ? { parameters: { binary_data_size: data.byteLength } } : { data: Array.from(data) };
  const members = {
    input: { ...tensor, ...sent },
    output: { name: output, parameters: { binary_data: binary } },
  };
  return {
    json: Buffer.from(JSON.stringify(order(members))),
    tail: binary ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.alloc(0),
  };
}

function pack(body: Buffer, how: string | undefined): Buffer {
  if (how === 'gzip') return gzipSync(body);
  return how === 'deflate' ? deflateSync(body) : body;
}
