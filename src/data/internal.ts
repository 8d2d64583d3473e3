// For sibling folders only: nothing here is published.

export { BeatWindows, DEFAULT_RATE, type WindowFault } from './beat-windows.ts';
export { countIdentical, indicesOutside } from './common-samples.ts';
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
export { BEAT_CLASSES } from './ecg-beats.ts';
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
export { imageTarget } from './image-steps.ts';
export { type LabelFacts, labelFacts } from './label-facts.ts';
export { isUnsplitArchive } from './open-dataset.ts';
export {
  type AnnotatedBeat,
  chooseLead,
  leadNamed,
  openRecording,
  type RecordedLead,
  type Recording,
  recordingPaths,
} from './open-recording.ts';
export { sharedPatients } from './patients.ts';
export { kindOfContent, LAID_OUT, layOutPosted, type PostedBounds, type PostedKind } from './posted-file.ts';
export { type Lead, leadPlaces } from './recording-source.ts';
export { classPrior, classWeights, selectIndices } from './sampling.ts';
export type { SeriesChoice } from './series-choice.ts';
export { type SignalTarget, signalTarget, unitFactor, writeWindows } from './signal-steps.ts';
export { disjointDraws, splitInTwo } from './splits.ts';
export { selectSamples, strataOf } from './strata.ts';
