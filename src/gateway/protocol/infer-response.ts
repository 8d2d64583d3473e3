// Answers of the Open Inference Protocol, version 2.
import type { RequestedOutput, Scalar } from './infer-request.ts';

/** An output of an answer; always FP32. */
export interface ResponseTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** An answer to a request. */
export interface InferAnswer {
  readonly model: string;
  readonly version: string;
  readonly id: string | undefined;
  /** Facts about the answer. Scalars only, and never below an output: a known client reads those as sizes. */
  readonly parameters: Readonly<Record<string, Scalar>>;
  readonly outputs: readonly ResponseTensor[];
}

/** A body to send: JSON, and the bytes of binary outputs behind it. */
export interface ResponseBody {
  readonly body: Buffer;
  /** Length of the JSON where bytes follow it: the header `Inference-Header-Content-Length`. */
  readonly jsonBytes: number | undefined;
}

/** Writes an answer; outputs are binary where `requested` says so, otherwise where `binary` does. */
export function writeInferAnswer(
  { model, version, id, parameters, outputs }: InferAnswer,
  requested: readonly RequestedOutput[] | undefined,
  binary: boolean,
): ResponseBody {
  const chunks: Buffer[] = [];
  const listed = outputs.map(({ name, shape, data }) => {
    const own = requested?.find((output) => output.name === name)?.binary ?? binary;
    const head = { name, datatype: 'FP32', shape };
    if (!own) return { ...head, data: Array.from(data) };
    chunks.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    return { ...head, parameters: { binary_data_size: data.byteLength } };
  });
  const json = Buffer.from(
    JSON.stringify({
      model_name: model,
      model_version: version,
      ...(id === undefined ? {} : { id }),
      parameters,
      outputs: listed,
    }),
  );
  if (chunks.length === 0) return { body: json, jsonBytes: undefined };
  return { body: Buffer.concat([json, ...chunks]), jsonBytes: json.byteLength };
}
