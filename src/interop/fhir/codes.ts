// Codes of results. Where LOINC and SNOMED CT have none that means the same, the text stands alone.
import type { CodeableConcept, Coding, Identifier } from 'fhir/r4.js';

export const LOINC = 'http://loinc.org';
export const SNOMED = 'http://snomed.info/sct';
export const UCUM = 'http://unitsofmeasure.org';
/** URIs as identifiers. */
export const URI = 'urn:ietf:rfc:3986';
/** UIDs of DICOM as identifiers, which FHIR writes as `urn:oid:`. */
export const DICOM_UID = 'urn:dicom:uid';
/** Where HL7's guide "AI Transparency on FHIR" (1.0.0, ballot of January 2026) keeps its codes and extensions. */
export const AI_GUIDE = 'http://hl7.org/fhir/uv/aitransparency';

/** The security label of what an algorithm asserted, in that guide and in HL7's terminology. */
export const AIAST: Coding = {
  system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue',
  code: 'AIAST',
  display: 'Artificial Intelligence asserted',
};

/** The guide's code of any such system. */
export const ARTIFICIAL_INTELLIGENCE: Coding = {
  system: `${AI_GUIDE}/CodeSystem/AIdeviceTypeCS`,
  code: 'Artificial-Intelligence',
};

export const HEART_RATE: CodeableConcept = {
  coding: [{ system: LOINC, code: '8867-4', display: 'Heart rate' }],
  text: 'Heart rate',
};

export const ECG_STUDY: CodeableConcept = {
  coding: [{ system: LOINC, code: '11524-6', display: 'EKG study' }],
  text: 'ECG, heartbeats found and classified by a network',
};

export const IMAGING_STUDY: CodeableConcept = {
  coding: [{ system: LOINC, code: '18748-4', display: 'Diagnostic imaging study' }],
  text: 'Image classified by a network',
};

/** ANSI/AAMI EC57 classes of heartbeats. SNOMED CT has one that is not narrower than the class. */
const AAMI_BEATS: Readonly<Record<string, CodeableConcept>> = {
  N: { text: 'N: beat that is none of S, V, F and Q (ANSI/AAMI EC57)' },
  S: { text: 'S: supraventricular ectopic beat (ANSI/AAMI EC57)' },
  V: {
    coding: [{ system: SNOMED, code: '164884008' }],
    text: 'V: ventricular ectopic beat (ANSI/AAMI EC57)',
  },
  F: { text: 'F: fusion of a ventricular and a normal beat (ANSI/AAMI EC57)' },
  Q: { text: 'Q: paced or unclassifiable beat (ANSI/AAMI EC57)' },
};

/** Classes of heartbeats as concepts: those of ANSI/AAMI EC57 where every name is one of its letters, else the names. */
export function beatConcepts(names: readonly string[]): CodeableConcept[] {
  const areAami = names.every((name) => Object.hasOwn(AAMI_BEATS, name));
  return names.map((name) => (areAami ? AAMI_BEATS[name] : undefined) ?? { text: name });
}

/** A name by the hash or UUID in it. */
export function uriIdentifier(value: string): Identifier {
  return { system: URI, value };
}

/** A UID of DICOM as an identifier. */
export function dicomIdentifier(uid: string): Identifier {
  return { system: DICOM_UID, value: `urn:oid:${uid}` };
}
