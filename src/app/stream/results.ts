// What a stream finds, as results of FHIR or HL7 v2: one for each signal and period.
import { randomUUID } from 'node:crypto';
import { assertPatient, assertPatientIdentifier } from '../../interop/index.ts';
import { BedsideError } from '../../util/index.ts';
import { answeredBy } from '../interop/answered-by.ts';
import { openOutlets } from '../interop/outlets.ts';
import { policySha256 } from '../planners.ts';
import type { Journal } from '../reporter.ts';
import { BeatCollector } from './beat-collector.ts';
import type { StreamResult } from './events.ts';
import type { StreamOptions } from './options.ts';
import { PatientsOfBeds } from './patients-of-beds.ts';
import type { BeatNetwork } from './stream-through.ts';

const EVERY = 300;
const FLUSH_SECONDS = 10;

/** @throws BedsideError E_USAGE for options of results that go nowhere */
export function assertTargets(options: StreamOptions): void {
  const { fhir, hl7, fhirEvery, flushSeconds, patients, eachOf, patientIdentifiers } = options;
  const [missing] = [
    ...(fhir || hl7 ? [] : unused({ fhirEvery, flushSeconds }, '`fhir` or `hl7`')),
    ...(fhir ? [] : unused({ patients, eachOf }, '`fhir`')),
    ...(hl7 ? [] : unused({ patientIdentifiers }, '`hl7`')),
  ];
  if (missing === undefined) return;
  throw new BedsideError('E_USAGE', missing, { hint: 'say where results go, or leave it out' });
}

function unused(options: Readonly<Record<string, unknown>>, target: string): string[] {
  return Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([name]) => `\`${name}\` has no meaning without ${target}`);
}

/**
 * Gives back what a stream finds, as results of FHIR, HL7 v2 or both.
 * @param run streams, with these options
 * @throws BedsideError as `run` and `openOutlets`; E_USAGE for a patient that is no reference or identifier; E_OUTPUT where
 *   results cannot be kept, which ends the stream
 */
export async function withResults(
  { bundle, classNames }: BeatNetwork,
  options: StreamOptions,
  journal: Journal,
  run: (options: StreamOptions) => Promise<StreamResult>,
): Promise<StreamResult> {
  const { fhir, hl7, fhirEvery = EVERY, patients = {}, patientIdentifiers = {}, eachOf } = options;
  for (const patient of Object.values(patients)) assertPatient(patient);
  for (const identifier of Object.values(patientIdentifiers)) assertPatientIdentifier(identifier);
  for (const own of [patients, patientIdentifiers]) assertOneBed(own, options.sources);
  await using outlets = await openOutlets({ fhir, hl7 }, (text) => journal.note(text));
  const failed = new AbortController();
  let sending: Promise<unknown> = Promise.resolve();
  const policy = chooserOf(options);
  const remark = (text: string): void => journal.remark(text);
  const forms = {
    fhir: new PatientsOfBeds(patients, 'FHIR', remark),
    hl7: new PatientsOfBeds(patientIdentifiers, 'HL7 v2', remark),
  };
  const collector = new BeatCollector(
    {
      by: await answeredBy(bundle),
      policy,
      policySha256: policy === 'policy' ? await policySha256() : undefined,
      classes: classNames,
      ...{ rules: options, every: fhirEvery, stream: randomUUID() },
      replayed: options.sources.every((source) => /^(wfdb|edf):/.test(source)),
      patientOf: (bed) => forms.fhir.of(bed),
      identifierOf: (bed) => forms.hl7.of(bed),
    },
    (result) => {
      sending = sending
        .then(() => outlets.send(result, { eachOf }))
        .catch((error: unknown) => {
          failed.abort(error);
        });
    },
  );
  const signal = AbortSignal.any([failed.signal, ...(options.signal ? [options.signal] : [])]);
  const onEvent: StreamOptions['onEvent'] = (event) => {
    if (event.kind !== 'signal') for (const own of Object.values(forms)) own.found(event.bed);
    collector.take(event);
    options.onEvent?.(event);
  };
  const result = await run({ ...options, signal, onEvent });
  collector.end(result.beds);
  await sending;
  // Results that cannot be kept are lost: that must not pass for a success.
  failed.signal.throwIfAborted();
  const states = await outlets.flush(options.flushSeconds ?? FLUSH_SECONDS);
  for (const [form, own] of [
    ...(fhir ? [['FHIR', forms.fhir] as const] : []),
    ...(hl7 ? [['HL7 v2', forms.hl7] as const] : []),
  ]) {
    const unnamed = result.beds.filter(({ bed }) => own.of(bed) === undefined).length;
    if (unnamed > 0)
      journal.remark(
        `results of ${unnamed} bed${unnamed === 1 ? '' : 's'} name no patient in ${form}: none was given`,
      );
  }
  return { ...result, ...journal.said(), ...states };
}

/** What chooses the levels, in the words of results. */
function chooserOf({ gateway, levels, solver = 'policy' }: StreamOptions): string {
  if (gateway !== undefined) return 'the gateway';
  return levels === undefined ? solver : 'the operator';
}

/** @throws BedsideError E_USAGE for one patient of several beds */
function assertOneBed(patients: Readonly<Record<string, string>>, sources: readonly string[]): void {
  if (patients[''] === undefined || sources.length === 1) return;
  throw new BedsideError('E_USAGE', 'one patient is given for several beds', {
    hint: 'name the bed of each, as BED=Patient/123',
  });
}
