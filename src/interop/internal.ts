// For sibling folders only: nothing here is published.

export { ask, checkedUrl, hostOf, KeptConnections } from './deliver/ask.ts';
export type { OutletState } from './deliver/outlet.ts';
export { NOT_FOR_USE, type RgbPicture } from './dicom/heat-map.ts';
export { type AnsweredImage, type DicomObject, reportUid } from './dicom/report.ts';
export type { SourceInstance } from './dicom/source.ts';
export type { FoundInstance, FoundStudy, StudyFilter } from './dicomweb/client.ts';
export type { TransactionEntry } from './fhir/transaction.ts';
export { uuidOf } from './identity.ts';
export type {
  AnsweredBy,
  AnsweredHow,
  AnswerPart,
  BeatAnswer,
  BeatChoice,
  BeatsResult,
  ResultFacts,
  RhythmCounts,
  SampleResult,
  StudyPlace,
} from './result.ts';
