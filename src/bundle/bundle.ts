// A bundle in memory, and what must hold between its parts.
import type { Grouping } from '../channels/index.ts';
import type { Model } from '../onnx/index.ts';
import type { BundleManifest } from './manifest.ts';
import type { FloatTensor } from './safetensors.ts';

/** An opened bundle: every byte checked, and its parts known to agree. */
export interface Bundle {
  /** The folder it was read from. */
  readonly dir: string;
  /** SHA-256 of the manifest, which holds those of all other files: the identity of the bundle. */
  readonly sha256: string;
  readonly manifest: BundleManifest;
  readonly model: Model;
  readonly grouping: Grouping;
  /** Repaired weights and corrections, by the names of `weight-names.ts`. */
  readonly tensors: ReadonlyMap<string, FloatTensor>;
}
