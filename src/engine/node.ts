// Sessions of ONNX Runtime on Node.
// Before the runtime, which may read the environment as soon as it is loaded.
import './no-telemetry.ts';

import * as ort from 'onnxruntime-node';
import { type Model, writeModel } from '../onnx/index.ts';
import { BedsideError, messageOf, must } from '../util/index.ts';
import { assertNoTelemetry } from './no-telemetry.ts';
import type { Feed, Session, SessionOptions, Tensor } from './session.ts';
import { engineWords } from './words.ts';

// Warnings of the runtime concern its own graph passes, not the user.
ort.env.logLevel = 'error';

/** The engine and its version, such as `ONNX Runtime` and `1.30.0`. */
export const ENGINE = {
  name: 'ONNX Runtime',
  version: ort.env.versions.node ?? ort.env.versions.common,
} as const;

/** Threads sleep between runs: the core is free for whatever else the process does. */
const ASLEEP = { extra: { session: { intra_op: { allow_spinning: '0' } } } };

/**
 * Loads a graph into ONNX Runtime (CPU).
 * @throws BedsideError E_ENGINE when the runtime refuses the graph, naming it, or would send telemetry
 */
export async function createSession(model: Model | Uint8Array, options: SessionOptions): Promise<Session> {
  return new NodeSession(await openSession(model, options), options.name);
}

/** Tensors of the runtime itself, of any element type. */
export const EngineTensor = ort.Tensor;

/** The runtime's own session, for what `Session` does not do. @throws BedsideError as `createSession` */
export async function openSession(
  model: Model | Uint8Array,
  options: SessionOptions,
  more: Pick<ort.InferenceSession.SessionOptions, 'enableProfiling' | 'profileFilePrefix'> = {},
): Promise<ort.InferenceSession> {
  assertNoTelemetry();
  const bytes = model instanceof Uint8Array ? model : writeModel(model);
  try {
    return await ort.InferenceSession.create(bytes, {
      executionProviders: ['cpu'],
      intraOpNumThreads: options.threads ?? 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: options.optimization ?? 'all',
      logSeverityLevel: 4,
      enableCpuMemArena: options.arena ?? true,
      ...(options.spinning === false ? ASLEEP : {}),
      ...more,
    });
  } catch (cause) {
    throw new BedsideError(
      'E_ENGINE',
      `ONNX Runtime cannot load ${options.name}: ${engineWords(messageOf(cause))}`,
      {
        hint: 'the model may use an operator or version the runtime does not have',
        cause,
      },
    );
  }
}

class NodeSession implements Session {
  readonly name: string;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  #inner: ort.InferenceSession | undefined;

  constructor(inner: ort.InferenceSession, name: string) {
    this.#inner = inner;
    this.name = name;
    this.inputNames = inner.inputNames;
    this.outputNames = inner.outputNames;
  }

  async run(
    feeds: Readonly<Record<string, Feed>>,
    outputs?: readonly string[],
  ): Promise<Record<string, Tensor>> {
    const inner = must(this.#inner, `session of ${this.name} used after release`);
    const input: Record<string, ort.Tensor> = {};
    for (const [name, value] of Object.entries(feeds)) {
      input[name] = toEngine(value);
    }
    try {
      const raw = outputs ? await inner.run(input, [...outputs]) : await inner.run(input);
      const result: Record<string, Tensor> = {};
      for (const [name, value] of Object.entries(raw)) result[name] = convert(value, name, this.name);
      return result;
    } catch (cause) {
      if (BedsideError.is(cause)) throw cause;
      throw new BedsideError(
        'E_ENGINE',
        `ONNX Runtime failed while running ${this.name}: ${engineWords(messageOf(cause))}`,
        {
          hint: "check that the input's shape is what the model declares",
          cause,
        },
      );
    }
  }

  async release(): Promise<void> {
    const inner = this.#inner;
    this.#inner = undefined;
    await inner?.release();
  }
}

/** A tensor as the runtime takes it; the data is not copied. */
export function toEngine(value: Feed): ort.Tensor {
  switch (value.type) {
    case 'float32':
      return new ort.Tensor('float32', value.data, value.dims);
    case 'float64':
      return new ort.Tensor('float64', value.data, value.dims);
    case 'int64':
      return new ort.Tensor('int64', value.data, value.dims);
    case 'uint8':
      return new ort.Tensor('uint8', value.data, value.dims);
  }
}

function convert(value: ort.Tensor, output: string, model: string): Tensor {
  if (value.type === 'float32')
    return { type: 'float32', dims: value.dims, data: value.data as Float32Array };
  if (value.type === 'float64')
    return { type: 'float64', dims: value.dims, data: value.data as Float64Array };
  if (value.type === 'int64') return { type: 'int64', dims: value.dims, data: value.data as BigInt64Array };
  throw new BedsideError(
    'E_UNSUPPORTED',
    `${model}: output '${output}' is ${value.type}, not float32, float64 or int64`,
    {
      hint: 'add a Cast to float32 at the end of the model',
    },
  );
}
