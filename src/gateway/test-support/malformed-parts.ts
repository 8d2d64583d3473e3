// What malformed requests are made of.
import type { Random } from '../../util/internal.ts';

/** A model to send nonsense to. */
export interface Target {
  readonly name: string;
  readonly input: string;
  /** Of one sample. */
  readonly shape: readonly number[];
  /** Bytes that a body may have. */
  readonly bodyLimit: number;
}

/** One malformed request. */
export interface Malformed {
  readonly kind: string;
  /** Written one after another, with a pause in between. */
  readonly pieces: readonly Buffer[];
  /** Whether the sender closes its side after them. */
  readonly ends?: boolean;
  /** Whether it may be valid by chance: then 200 is right too. */
  readonly mayPass?: boolean;
}

export type Maker = (target: Target, random: Random) => Omit<Malformed, 'kind'>;

export const CRLF = '\r\n';

/** A POST of a body to the model. */
export function post(
  { name }: Target,
  body: Buffer | string,
  headers: readonly string[] = [],
  length?: string,
): Buffer {
  const bytes = Buffer.from(body as string);
  const lines = [
    `POST /v2/models/${encodeURIComponent(name)}/infer HTTP/1.1`,
    'host: a',
    ...headers,
    `content-length: ${length ?? bytes.length}`,
  ];
  return Buffer.concat([Buffer.from(`${lines.join(CRLF)}${CRLF}${CRLF}`, 'latin1'), bytes]);
}

export function count({ shape }: Target): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** A valid JSON request, to be spoiled. */
export function valid(target: Target, random: Random) {
  const data = Array.from({ length: count(target) }, () => Math.round(1000 * random.normal()) / 1000);
  return {
    inputs: [
      {
        name: target.input,
        shape: [1, ...target.shape] as unknown,
        datatype: 'FP32' as unknown,
        data: data as unknown,
      },
    ],
  };
}

export function pick<T>(random: Random, list: readonly T[]): T {
  // The list may hold null, so it is not asked whether there is one.
  return list[random.integer(list.length)] as T;
}
