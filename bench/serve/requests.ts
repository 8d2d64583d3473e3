// Requests with binary tensors, as the bytes that a client sends.
import type { Bundle } from '../../src/bundle/index.ts';
import { sizeOf } from '../../src/onnx/internal.ts';
import { must } from '../../src/util/index.ts';
import { Random } from '../../src/util/internal.ts';
import { postBytes } from './raw-client.ts';

/** A request and the sample in it. */
export interface MadeRequest {
  readonly bytes: Buffer;
  readonly sample: Float32Array;
}

/** Requests of one sample each, at one vector of levels or at those that the gateway chooses. */
export function binaryRequests(
  { manifest }: Bundle,
  count: number,
  parameters: Readonly<Record<string, string | number>> = {},
): MadeRequest[] {
  const { name, shape } = manifest.model.input;
  const random = new Random(1);
  return Array.from({ length: count }, () => {
    const sample = Float32Array.from({ length: sizeOf(shape) }, () => random.normal());
    const head = Buffer.from(
      JSON.stringify({
        parameters: { binary_data_output: true, ...parameters },
        inputs: [
          {
            name,
            shape: [1, ...shape],
            datatype: 'FP32',
            parameters: { binary_data_size: sample.byteLength },
          },
        ],
      }),
    );
    const path = `/v2/models/${encodeURIComponent(manifest.name)}/infer`;
    const headers = { 'inference-header-content-length': String(head.length) };
    return { bytes: postBytes(path, Buffer.concat([head, Buffer.from(sample.buffer)]), headers), sample };
  });
}

/** The scores in an answer to such a request, and the levels that gave them. */
export function scoresOf(
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): { readonly scores: Float32Array; readonly levels: readonly number[]; readonly replanned: number } {
  const end = Number(must(headers['inference-header-content-length'], 'the length of the JSON'));
  const { parameters } = JSON.parse(body.toString('utf8', 0, end)) as {
    parameters: { levels: string; replanned: number };
  };
  const scores = new Float32Array(Uint8Array.from(body.subarray(end)).buffer);
  return { scores, levels: parameters.levels.split(',').map(Number), replanned: parameters.replanned };
}
