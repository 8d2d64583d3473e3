// Live signals through a bundle, and what was found as FHIR or HL7 v2: a result for each signal and period.
import { randomUUID } from 'node:crypto';
import { assertPatient, assertPatientIdentifier } from '../../interop/index.ts';
import { BedsideError } from '../../util/index.ts';
import type { BundleSource } from '../bundle-levels.ts';
import { answerForm } from '../explain/answers.ts';
import { loadBundle } from '../open-bundle.ts';
import { policySha256 } from '../planners.ts';
import { type Journal, journalOf, type Reporter } from '../reporter.ts';
import type { StreamResult } from '../stream/events.ts';
import type { StreamOptions } from '../stream/options.ts';
import { stream } from '../stream/stream.ts';
import { answeredBy } from './answered-by.ts';
import { BeatCollector } from './beat-collector.ts';
import { type DeliveryStates, openOutlets, type ResultTargets } from './outlets.ts';

/** Where results of a stream go, and whose they are. */
export interface StreamToRecordOptions extends StreamOptions, ResultTargets {
  /** Seconds of signal of one result; default 300. */
  readonly fhirEvery?: number | undefined;
  /** Patients by bed, as references of FHIR; one under `''` is that of the only bed. Without one, results name no patient. */
  readonly patients?: Readonly<Record<string, string>> | undefined;
  /** The same as identifiers of HL7 v2 (PID-3), for `hl7`. */
  readonly patientIdentifiers?: Readonly<Record<string, string>> | undefined;
  /** Classes of which each beat gets an Observation of its own; default none. */
  readonly eachOf?: readonly string[] | undefined;
  /** Seconds that deliveries may still take at the end; default 10. What is not delivered waits for the next run. */
  readonly flushSeconds?: number | undefined;
}

const EVERY = 300;
const FLUSH_SECONDS = 10;

/**
 * Does what `stream` does, and gives back what was found, once a period and signal: as FHIR to a folder or a server, as HL7 v2
 * to a receiver, or both. Results are on the disk when this returns; those that a server or receiver does not have yet are
 * delivered by the next run with the same queue.
 * @throws BedsideError as `stream` and `openOutlets`; E_USAGE for a patient that is no reference or identifier; E_OUTPUT where
 *   results cannot be kept, which ends the stream
 */
export async function streamToRecord(
  bundle: BundleSource,
  options: StreamToRecordOptions,
  reporter?: Reporter | Journal,
): Promise<StreamResult & DeliveryStates> {
  const journal = journalOf(reporter);
  const {
    fhir,
    hl7,
    fhirEvery: every = EVERY,
    patients = {},
    patientIdentifiers = {},
    eachOf,
    ...rest
  } = options;
  for (const patient of Object.values(patients)) assertPatient(patient);
  for (const identifier of Object.values(patientIdentifiers)) assertPatientIdentifier(identifier);
  for (const own of [patients, patientIdentifiers]) assertOneBed(own, options.sources);
  const opened = await loadBundle(bundle, journal);
  await using outlets = await openOutlets({ fhir, hl7 }, (text) => journal.note(text));
  const failed = new AbortController();
  let sending: Promise<unknown> = Promise.resolve();
  const solver = options.solver ?? 'policy';
  const collector = new BeatCollector(
    {
      by: await answeredBy(opened),
      ...chooser(options, solver),
      policySha256: chooser(options, solver).policy === 'policy' ? await policySha256() : undefined,
      classes: answerForm(opened).classNames ?? numbered(answerForm(opened).form.classes),
      ...{ rules: options, every, stream: randomUUID() },
      replayed: options.sources.every((source) => /^(wfdb|edf):/.test(source)),
      patientOf: (bed) => patients[bed] ?? patients[''],
      identifierOf: (bed) => patientIdentifiers[bed] ?? patientIdentifiers[''],
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
    collector.take(event);
    options.onEvent?.(event);
  };
  const result = await stream(opened, { ...rest, signal, onEvent }, journal);
  collector.end(result.beds);
  await sending;
  // Results that cannot be kept are lost: that must not pass for a success.
  failed.signal.throwIfAborted();
  const states = await outlets.flush(options.flushSeconds ?? FLUSH_SECONDS);
  for (const [form, own] of [
    ...(fhir ? [['FHIR', patients] as const] : []),
    ...(hl7 ? [['HL7 v2', patientIdentifiers] as const] : []),
  ]) {
    const unnamed = result.beds.filter(({ bed }) => (own[bed] ?? own['']) === undefined).length;
    if (unnamed > 0)
      journal.remark(
        `results of ${unnamed} bed${unnamed === 1 ? '' : 's'} name no patient in ${form}: none was given`,
      );
  }
  return { ...result, ...journal.said(), ...states };
}

function chooser(options: StreamToRecordOptions, solver: string): { readonly policy: string } {
  if (options.gateway !== undefined) return { policy: 'the gateway' };
  return { policy: options.levels === undefined ? solver : 'the operator' };
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

/** @throws BedsideError E_USAGE for one patient of several beds */
function assertOneBed(patients: Readonly<Record<string, string>>, sources: readonly string[]): void {
  if (patients[''] === undefined || sources.length === 1) return;
  throw new BedsideError('E_USAGE', 'one patient is given for several beds', {
    hint: 'name the bed of each, as BED=Patient/123',
  });
}
