// The one interface to whatever runs ONNX graphs; Node's implementation is in `node.ts`, a web one can join it.

/** A dense row-major tensor. */
export type Tensor =
  | { readonly type: 'float64'; readonly dims: readonly number[]; readonly data: Float64Array }
  | { readonly type: 'float32'; readonly dims: readonly number[]; readonly data: Float32Array }
  | { readonly type: 'int64'; readonly dims: readonly number[]; readonly data: BigInt64Array };

/** What a graph can be given: tensors, and integers that a graph takes as it is. */
export type Feed =
  | Tensor
  | { readonly type: 'uint8'; readonly dims: readonly number[]; readonly data: Uint8Array };

/** How networks are run; extended by the options of everything that runs one. */
export interface EngineOptions {
  /** Samples in one run of the engine. A batch size that the model fixes is used instead. */
  readonly batch?: number | undefined;
  /** Threads inside one operator; default 1. */
  readonly threads?: number | undefined;
}

/** The same, decided. */
export interface EngineSettings {
  readonly batch: number;
  readonly threads: number;
}

/** How a session is made. */
export interface SessionOptions extends Pick<EngineOptions, 'threads'> {
  /** How the model is called in error messages, such as its file name. */
  readonly name: string;
  /** Whether memory of results is held for the next run; default true. Without it, large results are freed at once. */
  readonly arena?: boolean;
  /** Whether threads of the engine wait for work awake for a moment, which takes a core; default true. */
  readonly spinning?: boolean;
  /** ONNX Runtime's graph optimisation level; default `all`. */
  readonly optimization?: 'disabled' | 'basic' | 'extended' | 'all';
}

/** A loaded graph. Sessions hold native memory: release them. */
export interface Session {
  readonly name: string;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /**
   * Runs the graph once. With `outputs`, only those are returned.
   * @throws BedsideError E_ENGINE, naming the model
   */
  run(feeds: Readonly<Record<string, Feed>>, outputs?: readonly string[]): Promise<Record<string, Tensor>>;
  /** Frees the native memory; using the session afterwards is an error. */
  release(): Promise<void>;
}

/** A tensor of float32 numbers: what networks pass from layer to layer. */
export type FloatTensor = Extract<Tensor, { type: 'float32' }>;

/** A float32 tensor; the data is not copied. */
export function tensor(data: Float32Array, dims: readonly number[]): FloatTensor {
  return { type: 'float32', dims, data };
}
