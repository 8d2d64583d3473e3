// Bundles: one network at many sizes, as a folder that is written whole or not at all.
export { type AssembleOptions, assembleModel } from './assemble.ts';
export type { Assembly, AssemblyLayer, Bundle } from './bundle.ts';
export { type Correction, correctionTensors, type LowRank, storedCorrection } from './correction.ts';
export {
  type Costed,
  type LayerCosts,
  layerCosts,
  type StageCosts,
  stageCosts,
  type TotalCosts,
  totalCosts,
} from './costs.ts';
export { checkLevels, findVariant, keptUnitsAt, levelsKey, levelsOfRatio } from './levels.ts';
export {
  type AccuracyModel,
  BUNDLE_VERSION,
  type BundleGroup,
  type BundleLayer,
  type BundleManifest,
  type BundleStage,
  type FilePart,
  MANIFEST_FILE,
  type ManifestParts,
  type MeasuredOn,
  type Preprocessing,
  type Provenance,
  type Share,
  type StageSplit,
  type Variant,
} from './manifest.ts';
export {
  type BundleIndex,
  type BundlePart,
  type CutBundle,
  cutBundle,
  PartialBundle,
  parseIndex,
} from './parts.ts';
export { openBundle } from './read.ts';
export type { StoredTensor } from './safetensors.ts';
export { SEALED_VERSION } from './seal.ts';
export { isOfVariant, tableBias, tableWeight } from './weight-names.ts';
export { type BundleContents, writeBundle } from './write.ts';
