// A bundle in memory.
import type { Grouping } from '../channels/index.ts';
import type { Model } from '../onnx/index.ts';
import type { BundleLayer, BundleManifest } from './manifest.ts';
import type { StoredTensor } from './safetensors.ts';

/** An opened bundle: every byte is checked, and its parts agree. */
export interface Bundle {
  /** The folder it was read from. */
  readonly dir: string;
  /** SHA-256 of the manifest, which holds the hashes of all other files: the identity of the bundle. */
  readonly sha256: string;
  readonly manifest: BundleManifest;
  readonly model: Model;
  readonly grouping: Grouping;
  /** Repaired weights and corrections, by the names of `weight-names.ts`. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** The facts about a layer that assembling needs. */
export type AssemblyLayer = Pick<BundleLayer, 'name' | 'tables' | 'reads'>;

/** The parts of a bundle that assembling needs, also while the bundle is still being made. */
export interface Assembly extends Pick<Bundle, 'model' | 'grouping' | 'tensors'> {
  readonly manifest: Pick<BundleManifest, 'name' | 'groups' | 'ratios' | 'variants'> & {
    /** In execution order. */
    readonly layers: readonly AssemblyLayer[];
  };
}
