// For sibling folders only: nothing here is published.

export {
  type ClassMap,
  type ContractSource,
  type ImageContract,
  type ImageCrop,
  type ImageResize,
  type ImageWindow,
  isEmptyContract,
  type MergedContract,
  mergeContracts,
  type Normalisation,
  type SignalContract,
  type SignalWindow,
} from './contract/contract.ts';
export { LabelMap } from './contract/label-map.ts';
export { contractOfMetadata } from './contract/metadata.ts';
export {
  checkContract,
  contractSchema,
  looksLikeContract,
  parseContract,
} from './contract/parse.ts';
export { type DataFacts, dataFacts } from './data-facts.ts';
export {
  areImages,
  areRecordings,
  type DatasetKind,
  type DatasetSplit,
  type InputPart,
  type PassedOver,
  type Targets,
} from './dataset.ts';
export type { SeriesChoice } from './dicom/series-choice.ts';
export type { EdfAnnotation } from './edf/annotations.ts';
export type { EdfHeader, EdfSignalHeader } from './edf/header.ts';
export {
  type EdfBlock,
  EdfReader,
  type EdfRecording,
  type EdfSignal,
  openEdf,
  readEdf,
} from './edf/reader.ts';
export { isLeadNamed } from './edf/source.ts';
export { shapeMisfit } from './fit.ts';
export { hashSamples } from './hash.ts';
export { imageTarget } from './images/steps.ts';
export { type LabelFacts, labelFacts } from './labels/facts.ts';
export { isUnsplitArchive } from './open-dataset.ts';
export { kindOfContent, LAID_OUT, layOutPosted, type PostedBounds, type PostedKind } from './posted-file.ts';
export { BeatWindows, DEFAULT_RATE, type WindowFault } from './recordings/beat-windows.ts';
export {
  type AnnotatedBeat,
  atRate,
  chooseLead,
  leadNamed,
  openRecording,
  type RecordedLead,
  type Recording,
  recordingPaths,
} from './recordings/open-recording.ts';
export { type Lead, leadPlaces } from './recordings/source.ts';
export { type SignalTarget, signalTarget, unitFactor, writeWindows } from './recordings/steps.ts';
export { countIdentical, indicesOutside } from './sampling/common-samples.ts';
export { sharedPatients } from './sampling/patients.ts';
export { classPrior, classWeights, selectIndices } from './sampling/sampling.ts';
export { disjointDraws, splitInTwo } from './sampling/splits.ts';
export { selectSamples, strataOf } from './sampling/strata.ts';
export { BEAT_CLASSES } from './synthetic/ecg-beats.ts';
