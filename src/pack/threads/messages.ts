// Messages between a measuring thread and the thread that started it.
import type { BundleManifest } from '../../bundle/index.ts';
import type { StoredTensor } from '../../bundle/internal.ts';
import type { MeasurableBundle, MeasuredVariant, VariantEvaluatorOptions } from '../variant-evaluator.ts';

/** A bundle in the making as it is sent. */
export interface SentBundle {
  readonly manifest: MeasurableBundle['manifest'] & Partial<Pick<BundleManifest, 'stages'>>;
  /** An ONNX file. */
  readonly model: Uint8Array;
  /** Their numbers lie in shared memory. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** The first message prepares the thread, each further one asks for a level vector: its measures, or its error alone. */
export type MeasuringTask =
  | {
      readonly kind: 'start';
      readonly bundle: SentBundle;
      readonly options: VariantEvaluatorOptions;
      /** Scores of the unpruned network. */
      readonly whole: Float32Array;
    }
  | { readonly kind: 'measure' | 'error'; readonly levels: readonly number[] };

export type MeasuringReply =
  | { readonly kind: 'started' }
  | { readonly kind: 'measured'; readonly result: MeasuredVariant }
  | { readonly kind: 'error'; readonly error: number };
