// Giving results back to a hospital's systems.

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
