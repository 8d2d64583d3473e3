// Giving results back to a hospital's systems.

export { type ServerAccess, secretFrom } from './deliver/ask.ts';
export {
  type FhirOutlet,
  isFhirServer,
  type Outlet,
  type OutletOptions,
  type OutletState,
  openOutlet,
} from './deliver/outlet.ts';

export { heatMapCapture, NOT_FOR_USE, type RgbPicture } from './dicom/heat-map.ts';
export { type AnsweredImage, type DicomObject, measurementReport, reportUid } from './dicom/report.ts';
export { readSource, type SourceInstance } from './dicom/source.ts';
export { DicomWeb, type FoundInstance, type FoundStudy, type StudyFilter } from './dicomweb/client.ts';
export {
  assertPatient,
  type ResultTransaction,
  type TransactionEntry,
  transactionOf,
} from './fhir/transaction.ts';
export { assertPatientIdentifier, type Hl7Message, messageOf as hl7MessageOf } from './hl7/message.ts';
export { type Hl7OutletOptions, openHl7Outlet } from './hl7/mllp.ts';
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
