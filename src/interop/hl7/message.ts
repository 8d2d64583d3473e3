// A result as a message of HL7 v2.5.1, ORU^R01: unsolicited, preliminary, with the same figures as the FHIR resources.
import { BedsideError } from '../../util/index.ts';
import { ECG_STUDY, IMAGING_STUDY } from '../fhir/codes.ts';
import { activityOf, beatTable, conclusion } from '../fhir/report.ts';
import { uuidOf } from '../identity.ts';
import type { BeatsResult, Result, SampleResult } from '../result.ts';

/** A message that reports a result. */
export interface Hl7Message {
  /** Of the result. */
  readonly id: string;
  /** Of the message (MSH-10): the same result has the same, however often it is sent. */
  readonly controlId: string;
  /** Segments, each ended by a carriage return. */
  readonly text: string;
}

/** Characters of a text (ST) of version 2.5.1. */
const MOST_TEXT = 199;
/** Codes that no standard has. */
const LOCAL = '99BEDSIDE';
/** An identifier with its assigning authority and type; separators but `^` and `&` would begin other fields. */
const CX = /^[^\s|~\\^&][^|~\\\p{Cc}]{0,249}$/u;

/**
 * Checks that a text is an identifier of a patient as PID-3 has it: `123^^^HOSPITAL^MR`.
 * @throws BedsideError E_USAGE if it is not
 */
export function assertPatientIdentifier(text: string): void {
  if (CX.test(text)) return;
  throw new BedsideError('E_USAGE', 'the patient is no identifier of HL7 v2', {
    hint: "as PID-3 has it, such as '123^^^HOSPITAL^MR'",
  });
}

/** The message of a result. @throws BedsideError E_USAGE for a patient that is no identifier */
export function messageOf(result: Result): Hl7Message {
  const { id, issued, patientIdentifier, how, by } = result;
  if (patientIdentifier !== undefined) assertPatientIdentifier(patientIdentifier);
  const controlId = uuidOf('hl7', id).replaceAll('-', '').slice(0, 20);
  const isImage = result.kind === 'sample' && result.by.reads === 'images';
  const study = result.kind === 'beats' ? ECG_STUDY : isImage ? IMAGING_STUDY : undefined;
  const coding = study?.coding?.[0];
  const service = coding
    ? code(coding.code ?? '', coding.display ?? '', 'LN')
    : local('ANSWER', 'Answer of a network');
  const [start, end] =
    result.kind === 'beats' ? [result.period.start, result.period.end] : [result.taken ?? issued, ''];
  const versions = Object.entries(by.versions).map(([name, version]) => `${name} ${version}`);
  const notes = [
    ...conclusion(result, {}, patientIdentifier),
    `${activityOf(how)}.`,
    `Bundle ${by.bundle.name}, SHA-256 ${by.bundle.sha256}; network SHA-256 ${by.network.sha256}; ${versions.join(', ')}.`,
  ];
  const segments = [
    `MSH|^~\\&|bedside||||${moment(issued)}||ORU^R01^ORU_R01|${controlId}|P|2.5.1||||||UNICODE UTF-8`,
    // A patient's name is not known here: of the type "unspecified".
    ...(patientIdentifier === undefined ? [] : [`PID|1||${patientIdentifier}||^^^^^^U`]),
    fields(
      'OBR',
      '1',
      '',
      `${id}^bedside`,
      service,
      '',
      '',
      moment(start),
      moment(end),
      ...blanks(13),
      moment(issued),
      '',
      '',
      'P',
    ),
    ...notes.map((note, i) => fields('NTE', String(i + 1), 'L', escaped(note))),
    ...valuesOf(result).map(({ type, what, value, unit = '' }, i) =>
      // 11: preliminary; 17: an algorithm asserted it; 18: what computed it.
      fields(
        'OBX',
        String(i + 1),
        type,
        what,
        '1',
        value,
        unit,
        ...blanks(4),
        'P',
        '',
        '',
        moment(start),
        ...blanks(2),
        METHOD,
        `${by.bundle.sha256}^bedside`,
      ),
    ),
  ];
  return { id, controlId, text: segments.map((segment) => `${segment}\r`).join('') };
}

/** HL7's ObservationValue, which table 0396 of this version does not have. */
const METHOD = `AIAST^Artificial Intelligence asserted^${LOCAL}`;

/** One observation of a message, its parts escaped. */
interface Value {
  readonly type: 'NM' | 'ST' | 'TX' | 'ED';
  readonly what: string;
  readonly value: string;
  readonly unit?: string;
}

function valuesOf(result: Result): readonly Value[] {
  return result.kind === 'beats' ? ofBeats(result) : ofSample(result);
}

function ofBeats(result: BeatsResult): Value[] {
  const { beats, classes, heartRate, rhythm } = result;
  const count = (what: string, value: number): Value => ({ type: 'NM', what, value: String(value) });
  const rate = (what: string, value: number): Value => ({
    ...count(what, number(value)),
    unit: '/min^per minute^UCUM',
  });
  return [
    ...(heartRate
      ? [
          rate(code('8867-4', 'Heart rate', 'LN'), heartRate.mean),
          rate(local('RATE-MIN', 'Lowest heart rate in the period'), heartRate.min),
          rate(local('RATE-MAX', 'Highest heart rate in the period'), heartRate.max),
        ]
      : []),
    ...classes.map((name, i) =>
      count(
        local(`BEATS-${i}`, `Heartbeats of class ${name}`),
        beats.filter((beat) => beat.class === i).length,
      ),
    ),
    count(
      local('UNANSWERED', 'Beats without an answer in time'),
      beats.filter((beat) => beat.class === null).length,
    ),
    ...(rhythm
      ? [
          // Where they are not counted, the rules say so.
          ...(rhythm.couplets === null ? [] : [count(local('COUPLETS', 'Couplets'), rhythm.couplets)]),
          ...(rhythm.ventricularRuns === null
            ? []
            : [count(local('RUNS', 'Ventricular runs'), rhythm.ventricularRuns)]),
          count(local('PAUSES', 'Pauses'), rhythm.pauses),
          {
            type: 'TX' as const,
            what: local('RULES', 'Rules of couplets, runs and pauses'),
            value: escaped(rhythm.rules),
          },
        ]
      : []),
    {
      type: 'ED',
      what: local('BEATS', 'Heartbeats as CSV: seconds from the start of the period, class, probability'),
      value: `^TEXT^PLAIN^Base64^${beatTable(result).toString('base64')}`,
    },
  ];
}

function ofSample({ study, parts }: SampleResult): Value[] {
  const found = parts.filter((part) => part.found && part.value === undefined);
  return [
    ...(study
      ? [{ type: 'ST' as const, what: code('113014', 'DICOM Study', 'DCM'), value: study.studyUid }]
      : []),
    {
      type: 'ST',
      what: local('ANSWER', 'Answer of the network'),
      value: found.map(({ name }) => shortened(name)).join('~'),
    },
    ...parts.map(({ name, probability, value }, i): Value => {
      const what = (of: string): string => local(`PART-${i}`, `${of} ${name}`);
      if (probability !== undefined)
        return {
          type: 'NM',
          what: what('Probability of'),
          value: String(number(probability)),
          unit: '1^^UCUM',
        };
      if (value !== undefined) return { type: 'NM', what: what('Value of'), value: String(number(value)) };
      return { type: 'ST', what: what('Whether it is'), value: parts[i]?.found ? 'yes' : 'no' };
    }),
  ];
}

/** Six significant digits, never with an exponent, which NM has not. */
function number(value: number): number {
  const rounded = Number(value.toPrecision(6));
  return Math.abs(rounded) < 1e-6 ? 0 : rounded;
}

function local(own: string, text: string): string {
  return code(own, text, LOCAL);
}

function code(own: string, text: string, system: string): string {
  return `${own}^${shortened(text)}^${system}`;
}

function fields(...parts: readonly string[]): string {
  return parts.join('|').replace(/\|+$/, '');
}

function blanks(count: number): string[] {
  return new Array<string>(count).fill('');
}

/** ISO 8601 as DTM: `20260301100102.000+0000`. */
function moment(iso: string): string {
  if (iso === '') return '';
  return `${new Date(iso).toISOString().replace(/[-:TZ]/g, '')}+0000`;
}

const ESCAPES: Readonly<Record<string, string>> = { '|': 'F', '^': 'S', '&': 'T', '~': 'R', '\\': 'E' };

/** A text as data: separators and control characters as escape sequences. */
export function escaped(text: string): string {
  return text.replace(/[|^&~\\\p{Cc}]/gu, (char) => {
    const hex = char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0');
    return `\\${ESCAPES[char] ?? `X${hex}`}\\`;
  });
}

/** The same, cut where it is longer than a text may be: the ellipsis says so. */
function shortened(text: string): string {
  const whole = escaped(text);
  if (whole.length <= MOST_TEXT) return whole;
  let own = '';
  for (const char of text) {
    const next = own + escaped(char);
    if (next.length >= MOST_TEXT) break;
    own = next;
  }
  return `${own}…`;
}
