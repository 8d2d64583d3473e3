// Giving results back to a hospital's systems.

export { heatMapCapture, NOT_FOR_USE, type RgbPicture } from './dicom/heat-map.ts';
export { type AnsweredImage, type DicomObject, measurementReport, reportUid } from './dicom/report.ts';
export { readSource, type SourceInstance } from './dicom/source.ts';
export {
  assertPatient,
  type ResultTransaction,
  type TransactionEntry,
  transactionOf,
} from './fhir/transaction.ts';
export { uuidOf } from './identity.ts';
export type {
  AnsweredBy,
  AnsweredHow,
  AnswerPart,
  BeatAnswer,
  BeatChoice,
  BeatsResult,
  Result,
  ResultFacts,
  RhythmCounts,
  SampleResult,
  StudyPlace,
} from './result.ts';
