// Results as they are given back to a hospital's systems: plain facts, from which each format is written.

/** What answered: a network in a bundle, and the software that ran it. */
export interface AnsweredBy {
  readonly bundle: { readonly name: string; readonly sha256: string };
  /** The file that was packed. */
  readonly network: { readonly sha256: string };
  /** Versions of bedside and of the engine. */
  readonly versions: Readonly<Record<string, string>>;
  readonly reads: 'signals' | 'images' | 'tensors';
  /** Its model card, in Markdown. */
  readonly card: string;
}

/** By what the answers came about. */
export interface AnsweredHow {
  /** Each level vector that gave answers. */
  readonly levels: readonly (readonly number[])[];
  /** The planner that chose them, or that nothing did. */
  readonly policy: string;
  /** The hash of its policy, where it has one. */
  readonly policySha256?: string | undefined;
  readonly devices: readonly string[];
  /** What was guessed, approximated or left out. */
  readonly remarks: readonly string[];
}

/** What every result has. */
export interface ResultFacts {
  /** A UUID: the same result has the same, however often it is sent. */
  readonly id: string;
  /** ISO 8601, with a time zone. */
  readonly issued: string;
  readonly by: AnsweredBy;
  readonly how: AnsweredHow;
  /** The patient as the operator names it, such as `Patient/123`; undefined: the result names none. Never read from data. */
  readonly patient?: string | undefined;
  /** The same as an identifier of HL7 v2 (CX, for PID-3), such as `123^^^HOSPITAL^MR`. Never read from data. */
  readonly patientIdentifier?: string | undefined;
}

/** A heartbeat that was found. */
export interface BeatAnswer {
  /** Of its R peak, in seconds from the start of the period. */
  readonly at: number;
  /** Index into `classes`; null: no answer came in time. */
  readonly class: number | null;
  /** Of that class, in [0, 1]. */
  readonly probability: number | null;
}

/** Counts of what several beats make together. */
export interface RhythmCounts {
  /** Null, as runs are: not counted, since the network has no class of ventricular beats. */
  readonly couplets: number | null;
  readonly ventricularRuns: number | null;
  readonly pauses: number;
  /** The rules they were counted by, in words. */
  readonly rules: string;
}

/** A period of a signal. */
export interface BeatsResult extends ResultFacts {
  readonly kind: 'beats';
  /** ISO 8601, with a time zone. */
  readonly period: { readonly start: string; readonly end: string };
  /** Whether a record was replayed, so that the period is that of the replay. */
  readonly replayed: boolean;
  readonly lead?: string | undefined;
  /** Samples a second; undefined where it is not known, or changed. */
  readonly rate?: number | undefined;
  readonly classes: readonly string[];
  readonly beats: readonly BeatAnswer[];
  /** Beats a minute; undefined where too few beats were found. */
  readonly heartRate?: { readonly mean: number; readonly min: number; readonly max: number } | undefined;
  readonly rhythm?: RhythmCounts | undefined;
}

/** One class, label or value of an answer. */
export interface AnswerPart {
  readonly name: string;
  /** In [0, 1]; undefined for values. */
  readonly probability?: number | undefined;
  /** Of a regression, in the unit of its labels, which is not known here. */
  readonly value?: number | undefined;
  /** Whether it belongs to the answer. */
  readonly found: boolean;
}

/** Where an image lies in an archive, by its DICOM identifiers. */
export interface StudyPlace {
  readonly studyUid: string;
  readonly seriesUid?: string | undefined;
  readonly instanceUid?: string | undefined;
}

/** One sample's answer. */
export interface SampleResult extends ResultFacts {
  readonly kind: 'sample';
  /** When the sample was taken, in ISO 8601; undefined where that is not known. */
  readonly taken?: string | undefined;
  readonly study?: StudyPlace | undefined;
  /** Whether one class excludes the others. */
  readonly exclusive: boolean;
  readonly parts: readonly AnswerPart[];
}

/** What is given back. */
export type Result = BeatsResult | SampleResult;

/** Which beats get an Observation of their own. */
export interface BeatChoice {
  /** Names of classes; default none, since counts and the list of beats say all. */
  readonly eachOf?: readonly string[] | undefined;
}
