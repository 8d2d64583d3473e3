// Bodies of requests: within a limit, before and after decompression.
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib';
import { BedsideError } from '../../util/index.ts';

type Decompress = (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Buffer>;

const DECOMPRESS: Readonly<Record<string, Decompress>> = {
  gzip: promisify(gunzip) as Decompress,
  'x-gzip': promisify(gunzip) as Decompress,
  br: promisify(brotliDecompress) as Decompress,
  // Some clients send deflate without the wrapper that its name means.
  deflate: async (bytes, options) => {
    try {
      return await (promisify(inflate) as Decompress)(bytes, options);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw error;
      return await (promisify(inflateRaw) as Decompress)(bytes, options);
    }
  },
};

/**
 * The body as it was before compression.
 * @param encoding the header `Content-Encoding`
 * @param limit bytes
 * @throws BedsideError E_REQUEST for an unknown encoding or damaged bytes; E_TOO_LARGE
 */
export async function decompressed(
  bytes: Buffer,
  encoding: string | undefined,
  limit: number,
): Promise<Buffer> {
  if (encoding === undefined) return bytes;
  const names = encoding.split(',').map((name) => name.trim().toLowerCase());
  const [name = '', ...more] = names.filter((own) => own !== '' && own !== 'identity');
  if (name === '') return bytes;
  const decompress = more.length === 0 && Object.hasOwn(DECOMPRESS, name) ? DECOMPRESS[name] : undefined;
  if (!decompress) {
    throw new BedsideError('E_REQUEST', `the body has the encoding '${encoding}'`, {
      hint: 'gzip, deflate, br or none',
    });
  }
  try {
    return await decompress(bytes, { maxOutputLength: limit });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new BedsideError('E_TOO_LARGE', `the body has more than ${limit} bytes when decompressed`, {
        cause,
      });
    }
    throw new BedsideError('E_REQUEST', `the body cannot be decompressed as ${name}`, {
      hint: 'check the header Content-Encoding',
      cause,
    });
  }
}

/**
 * The length of the JSON before the bytes of tensors.
 * @param header `Inference-Header-Content-Length`
 * @throws BedsideError E_REQUEST for a header that is no length
 */
export function jsonLength(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^\d{1,12}$/.test(header)) return Number(header);
  throw new BedsideError('E_REQUEST', 'Inference-Header-Content-Length is not a number of bytes');
}
