// For sibling folders only: nothing here is published.

export { assemblePart } from './assemble.ts';
export type { Assembly, AssemblyLayer } from './bundle.ts';
export {
  type Correction,
  correctionTensors,
  type LowRank,
  noCorrection,
  type RecurrentWeights,
  storedCorrection,
} from './correction.ts';
export {
  type Costed,
  eightBitBytes,
  eightBitCosts,
  inputBytesOf,
  layerCosts,
  type StageCosts,
  type TotalCosts,
  totalCosts,
} from './costs.ts';
export { rangesAt, storedRanges } from './eight-bit.ts';
export { checkLevels, findVariant, firstUnits, keptUnitsAt, levelsKey } from './levels.ts';
export {
  type AccuracyModel,
  type BundleGroup,
  type BundleLayer,
  type BundleMeasure,
  type BundleStage,
  type BundleTask,
  type EightBitForm,
  MANIFEST_FILE,
  type ManifestParts,
  type MeasuredOn,
  type PrecisionChoice,
  type Preprocessing,
  type Share,
  type StageSplit,
  type Variant,
} from './manifest.ts';
export { type BundleIndex, type BundlePart, cutBundle, PartialBundle, parseIndex } from './parts.ts';
export type { StoredTensor } from './safetensors.ts';
export { sealed } from './seal.ts';
export { secondsAtMacs } from './seconds-at-macs.ts';
export { figureWord, labelledMeasure, measureTerm, recallsOf, type Tasked, taskOf } from './task.ts';
export { type RecurrentLayout, recurrentLayouts } from './weight-layout.ts';
export { isOfVariant, isRecurrentPart, tableBias, tableWeight, variantRanges } from './weight-names.ts';
export { type BundleContents, writeBundle } from './write.ts';
