// What was found, as Observations. All are preliminary and bear the label of what an algorithm asserted.
import type { CodeableConcept, Observation, ObservationComponent, Quantity } from 'fhir/r4.js';
import type { BeatChoice, BeatsResult, Result, SampleResult } from '../result.ts';
import { AIAST, beatConcepts, dicomIdentifier, HEART_RATE, UCUM } from './codes.ts';

/** An Observation, and its place in the result, of which its identifier is made. */
export interface PlacedObservation {
  readonly place: string;
  readonly resource: Observation;
}

/** Most beats of one result that get an Observation of their own; the list of beats has all of them. */
export const MOST_SINGLE_BEATS = 500;

/** The Observations of a result. @param device reference to what answered */
export function observationsOf(result: Result, device: string, choice: BeatChoice): PlacedObservation[] {
  return result.kind === 'beats' ? ofBeats(result, device, choice) : [ofSample(result, device)];
}

/** Beats of the chosen classes, and how many of them are left out for being too many. */
export function singleBeats(
  { beats, classes }: BeatsResult,
  { eachOf = [] }: BeatChoice,
): { readonly shown: BeatsResult['beats']; readonly leftOut: number } {
  const chosen = beats.filter((beat) => beat.class !== null && eachOf.includes(classes[beat.class] ?? ''));
  const shown = chosen.slice(0, MOST_SINGLE_BEATS);
  return { shown, leftOut: chosen.length - shown.length };
}

function ofBeats(result: BeatsResult, device: string, choice: BeatChoice): PlacedObservation[] {
  const base = { ...common(result, device), effectivePeriod: result.period };
  const placed: PlacedObservation[] = [{ place: 'beats', resource: { ...base, ...countsByClass(result) } }];
  if (result.heartRate) {
    const { mean, min, max } = result.heartRate;
    placed.push({
      place: 'heart-rate',
      resource: {
        ...base,
        // The vital signs profile demands a patient.
        ...(result.patient === undefined ? {} : { category: [VITAL_SIGNS] }),
        code: HEART_RATE,
        valueQuantity: perMinute(mean),
        component: [
          { code: { text: 'Lowest heart rate in the period' }, valueQuantity: perMinute(min) },
          { code: { text: 'Highest heart rate in the period' }, valueQuantity: perMinute(max) },
        ],
      },
    });
  }
  if (result.rhythm) {
    const { couplets, ventricularRuns, pauses, rules } = result.rhythm;
    placed.push({
      place: 'rhythm',
      resource: {
        ...base,
        code: { text: 'Couplets, ventricular runs and pauses' },
        note: [{ text: rules }],
        component: [
          counted('Couplets', couplets),
          counted('Ventricular runs', ventricularRuns),
          counted('Pauses', pauses),
        ],
      },
    });
  }
  const concepts = beatConcepts(result.classes);
  const start = Date.parse(result.period.start);
  for (const [i, beat] of singleBeats(result, choice).shown.entries()) {
    const { effectivePeriod: _, ...single } = base;
    placed.push({
      place: `beat ${i}`,
      resource: {
        ...single,
        effectiveInstant: new Date(start + 1000 * beat.at).toISOString(),
        code: { text: 'Class of a heartbeat' },
        valueCodeableConcept: concepts[beat.class ?? 0] ?? { text: 'unknown' },
        component: [probabilityOf(beat.probability ?? 0)],
      },
    });
  }
  return placed;
}

/** A count, or that nothing is counted. */
function counted(text: string, value: number | null): ObservationComponent {
  return {
    code: { text },
    ...(value === null ? { dataAbsentReason: UNSUPPORTED } : { valueInteger: value }),
  };
}

/** "The source system wasn't capable of supporting this element." */
const UNSUPPORTED: CodeableConcept = {
  coding: [
    {
      system: 'http://terminology.hl7.org/CodeSystem/data-absent-reason',
      code: 'unsupported',
      display: 'Unsupported',
    },
  ],
};

function countsByClass({ beats, classes }: BeatsResult): Pick<Observation, 'code' | 'component'> {
  const concepts = beatConcepts(classes);
  const counts = classes.map((_, i) => beats.filter((beat) => beat.class === i).length);
  const component: ObservationComponent[] = counts.map((count, i) => ({
    code: concepts[i] ?? { text: classes[i] ?? '' },
    valueInteger: count,
  }));
  const unanswered = beats.filter((beat) => beat.class === null).length;
  component.push({ code: { text: 'Beats without an answer in time' }, valueInteger: unanswered });
  return { code: { text: 'Heartbeats by class' }, component };
}

function ofSample(result: SampleResult, device: string): PlacedObservation {
  const { study, taken, parts, exclusive } = result;
  const found = parts.filter((part) => part.found);
  const single = exclusive ? found[0] : undefined;
  const uid = study?.instanceUid ?? study?.studyUid;
  return {
    place: 'answer',
    resource: {
      ...common(result, device),
      ...(taken === undefined ? {} : { effectiveDateTime: taken }),
      code: { text: `Answer of the network ${result.by.bundle.name}` },
      ...(single ? { valueCodeableConcept: { text: single.name } } : {}),
      ...(study === undefined || uid === undefined
        ? {}
        : {
            derivedFrom: [
              { type: 'ImagingStudy', identifier: dicomIdentifier(study.studyUid), display: 'the study' },
            ],
          }),
      component: parts.map((part) => {
        const code: CodeableConcept = { text: part.name };
        if (part.probability !== undefined) {
          return {
            ...probabilityOf(part.probability),
            code,
            interpretation: [{ text: FOUND[`${part.found}`] }],
          };
        }
        // The unit of a regression is that of its labels, which no bundle says.
        if (part.value !== undefined) return { code, valueQuantity: { value: rounded(part.value) } };
        return { code, valueBoolean: part.found };
      }),
    },
  };
}

const FOUND = { true: 'in the answer', false: 'not in the answer' } as const;

const VITAL_SIGNS: CodeableConcept = {
  coding: [
    {
      system: 'http://terminology.hl7.org/CodeSystem/observation-category',
      code: 'vital-signs',
      display: 'Vital Signs',
    },
  ],
};

function common({ patient, issued }: Result, device: string): Observation {
  return {
    resourceType: 'Observation',
    meta: { security: [AIAST] },
    status: 'preliminary',
    code: {},
    ...(patient === undefined ? {} : { subject: { reference: patient } }),
    issued,
    device: { reference: device },
  };
}

function probabilityOf(probability: number): ObservationComponent {
  return {
    code: { text: 'Probability of the class, by the network' },
    valueQuantity: { value: rounded(probability), unit: '1', system: UCUM, code: '1' },
  };
}

function perMinute(value: number): Quantity {
  return { value: rounded(value), unit: 'beats/minute', system: UCUM, code: '/min' };
}

/** Six significant digits: no more are meant, and JSON of other systems may not keep more. */
function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
