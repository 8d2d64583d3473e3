// A result as a preliminary DiagnosticReport, and where it came from as Provenance.
import type { Attachment, DiagnosticReport, Provenance, ProvenanceEntity } from 'fhir/r4.js';
import { hashUri } from '../identity.ts';
import type { AnsweredHow, BeatChoice, BeatsResult, Result } from '../result.ts';
import { AIAST, ARTIFICIAL_INTELLIGENCE, dicomIdentifier, ECG_STUDY, IMAGING_STUDY } from './codes.ts';
import { singleBeats } from './observations.ts';

/** What stands in every report. */
export const PRELIMINARY =
  'Preliminary: an algorithm asserted this, and no clinician has confirmed it. Not for clinical use.';

/** References to the other resources of a result. */
export interface Links {
  readonly device: string;
  readonly card: string;
  readonly observations: readonly string[];
}

/** The report of a result: preliminary, with the list of its beats where it has some. */
export function reportOf(result: Result, links: Links, choice: BeatChoice): DiagnosticReport {
  const isImage = result.kind === 'sample' && result.by.reads === 'images';
  const code =
    result.kind === 'beats' ? ECG_STUDY : isImage ? IMAGING_STUDY : { text: 'Answer of a network' };
  const said = conclusion(result, choice);
  return {
    resourceType: 'DiagnosticReport',
    meta: { security: [AIAST] },
    text: { status: 'generated', div: narrative(said) },
    status: 'preliminary',
    code,
    ...(result.patient === undefined ? {} : { subject: { reference: result.patient } }),
    ...(result.kind === 'beats'
      ? { effectivePeriod: result.period }
      : result.taken === undefined
        ? {}
        : { effectiveDateTime: result.taken }),
    issued: result.issued,
    result: links.observations.map((reference) => ({ reference })),
    ...(result.kind === 'sample' && result.study
      ? { imagingStudy: [{ type: 'ImagingStudy', identifier: dicomIdentifier(result.study.studyUid) }] }
      : {}),
    conclusion: said.join('\n'),
    ...(result.kind === 'beats' ? { presentedForm: [beatList(result)] } : {}),
  };
}

/** Sentences of a report. */
export function conclusion(result: Result, choice: BeatChoice, patientIs = result.patient): string[] {
  const { remarks } = result.how;
  const patient = patientIs === undefined ? ['No patient was named to the sender.'] : [];
  if (result.kind === 'sample') {
    const found = result.parts.filter((part) => part.found);
    const shown = found.map(({ name, probability }) =>
      probability === undefined ? name : `${name} (${(100 * probability).toFixed(1)} %)`,
    );
    const values = result.parts.flatMap(({ name, value }) =>
      value === undefined ? [] : [`${name}: ${value}`],
    );
    const answer =
      values.length > 0 ? values.join(', ') : shown.length > 0 ? shown.join(', ') : 'none of its labels';
    return [PRELIMINARY, `Answer: ${answer}.`, ...patient, ...remarks];
  }
  const { beats, heartRate, replayed, rate, lead } = result;
  const unanswered = beats.filter((beat) => beat.class === null).length;
  const { leftOut } = singleBeats(result, choice);
  return [
    PRELIMINARY,
    `${beats.length} heartbeats${lead === undefined ? '' : ` in lead ${lead}`}${rate === undefined ? '' : ` at ${rate} samples a second`}, ${unanswered} without an answer in time.`,
    heartRate
      ? `Heart rate ${heartRate.mean.toFixed(0)} a minute (${heartRate.min.toFixed(0)} to ${heartRate.max.toFixed(0)}).`
      : 'Too few beats for a heart rate.',
    ...(replayed ? ['A record was replayed: times are those of the replay, not of the recording.'] : []),
    ...(leftOut > 0
      ? [`${leftOut} chosen beats have no Observation of their own, since there are too many: see the list.`]
      : []),
    ...patient,
    ...remarks,
  ];
}

/** All beats as CSV: seconds from the start of the period, class, probability. */
export function beatTable({ beats, classes }: BeatsResult): Buffer {
  const rows = beats.map(
    ({ at, class: own, probability }) =>
      `${at.toFixed(3)},${own === null ? '' : quoted(classes[own] ?? '')},${probability?.toFixed(4) ?? ''}`,
  );
  return Buffer.from(`seconds,class,probability\n${rows.map((row) => `${row}\n`).join('')}`, 'utf8');
}

function beatList(result: BeatsResult): Attachment {
  const bytes = beatTable(result);
  return {
    contentType: 'text/csv',
    data: bytes.toString('base64'),
    size: bytes.length,
    title: 'Heartbeats: seconds from the start of the period, class, probability of that class',
  };
}

function quoted(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function narrative(lines: readonly string[]): string {
  const escaped = lines.map((line) => line.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`));
  return `<div xmlns="http://www.w3.org/1999/xhtml">${escaped.map((line) => `<p>${line}</p>`).join('')}</div>`;
}

/** What was derived from what, by which levels and policy. @param targets references to the report and its Observations */
export function provenanceOf(result: Result, links: Links, targets: readonly string[]): Provenance {
  const { how, issued } = result;
  return {
    resourceType: 'Provenance',
    target: targets.map((reference) => ({ reference })),
    ...(result.kind === 'beats' ? { occurredPeriod: result.period } : { occurredDateTime: issued }),
    recorded: issued,
    ...(how.policySha256 === undefined ? {} : { policy: [hashUri(how.policySha256)] }),
    reason: [{ coding: [AIAST] }],
    activity: { text: activityOf(how) },
    agent: [
      {
        type: {
          coding: [
            {
              system: 'http://terminology.hl7.org/CodeSystem/provenance-participant-type',
              code: 'author',
              display: 'Author',
            },
          ],
        },
        role: [{ coding: [ARTIFICIAL_INTELLIGENCE] }],
        who: { reference: links.device },
      },
    ],
    entity: [{ role: 'derivation', what: { reference: links.card } }, sourceOf(result)],
  };
}

/** By which levels, policy and devices an answer came about. */
export function activityOf({ levels, policy, devices }: AnsweredHow): string {
  const vectors = levels.map((own) => own.join(',')).join('; ');
  const computed = devices.length > 0 ? `, computed by ${devices.join(', ')}` : '';
  return `answered at levels ${vectors || 'unknown'}, chosen by ${policy}${computed}`;
}

/** What was read. Names of files and records are left out: they may tell who it was. */
function sourceOf(result: Result): ProvenanceEntity {
  if (result.kind === 'beats') {
    const lead = result.lead === undefined ? '' : `, lead ${result.lead}`;
    const rate = result.rate === undefined ? '' : `, ${result.rate} samples a second`;
    return { role: 'source', what: { display: `ECG signal${lead}${rate}` } };
  }
  const { study } = result;
  const uid = study?.instanceUid ?? study?.seriesUid ?? study?.studyUid;
  if (uid === undefined) return { role: 'source', what: { display: 'a sample that was sent' } };
  return { role: 'source', what: { identifier: dicomIdentifier(uid), display: 'DICOM object' } };
}
