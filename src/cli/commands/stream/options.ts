// The options of `bedside stream`.
import { type Command, Option } from 'commander';
import type { StreamOptions } from '../../../app/stream/options.ts';
import type { CommonOptions } from '../../options/common.ts';
import { addDeployment, type DeploymentCommandOptions } from '../../options/deployment.ts';
import { addFhir, addFhirPatient, type FhirCommandOptions, fhirOutlet, readPem } from '../../options/fhir.ts';
import { addHl7, addHl7Patient, type Hl7CommandOptions, hl7Outlet } from '../../options/hl7.ts';
import { count, names, numberIn } from '../../options/numbers.ts';
import { addQuality } from '../../options/quality.ts';

/** As commander gives them. */
export interface StreamCommandOptions
  extends CommonOptions,
    DeploymentCommandOptions,
    FhirCommandOptions,
    Hl7CommandOptions {
  readonly source: readonly string[];
  readonly lead?: string;
  readonly speed: number;
  readonly seconds?: number;
  readonly peaks?: 'detected' | 'annotated';
  readonly gateway?: string;
  readonly gatewayCa?: string;
  readonly gatewayPlainHttp?: boolean;
  readonly tokenFile?: string;
  readonly nats?: string;
  readonly events?: string;
  readonly ventricular?: readonly string[];
  readonly pause?: number;
  readonly run?: number;
  readonly runRate?: number;
  readonly rateOver?: number;
  readonly flat?: number;
  readonly saturation?: number;
  readonly patience?: number;
  readonly fhirEvery?: number;
  readonly fhirPatient?: Readonly<Record<string, string>>;
  readonly fhirBeats?: readonly string[];
}

/** Adds them, but for the options of every command. */
export function addStreamOptions(command: Command): void {
  const another = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];
  command
    .requiredOption(
      '--source <where>',
      'wfdb:FOLDER/RECORD, edf:FILE, stdin, stdin:RATE (raw samples), nats:SUBJECT, ws:PORT; again for another bed',
      another,
    )
    .option('--lead <name>', 'the lead in which beats are found; a network of one lead reads it too')
    .option(
      '--speed <x>',
      'replay x times as fast; 0: as fast as beats are answered',
      numberIn(0, 1000, 'times'),
      1,
    )
    .option(
      '--seconds <s>',
      'end after so many seconds of a replay, or of time',
      numberIn(0.1, 1e9, 'seconds'),
    )
    .addOption(
      new Option(
        '--peaks <which>',
        'annotated: cut windows around the annotated R peaks of a record, to compare',
      )
        .choices(['detected', 'annotated'])
        .default('detected'),
    )
    .option('--gateway <url>', 'have a gateway answer (bedside serve), such as http://127.0.0.1:8500')
    .option('--token-file <file>', 'the token for the gateway')
    .option('--gateway-ca <file>', 'certificates of its authority, PEM; default: those that Node trusts')
    .option('--gateway-plain-http', 'send samples unprotected: http:// to another machine')
    .option('--nats <url>', 'server of nats: sources; default: that of --fabric, else nats://127.0.0.1:4222')
    .option(
      '--events <file>',
      'write each answer and each change of a signal as a JSON line; - is standard output, with the summary last',
    )
    .option('--ventricular <list>', 'classes that are ventricular beats; default V', names)
    .option('--pause <s>', 'seconds without a beat that are a pause; default 2', numberIn(0.2, 60, 'seconds'))
    .option('--run <n>', 'ventricular beats in a row that are a run; default 3', count(1000))
    .option(
      '--run-rate <bpm>',
      'beats a minute that a run has at least; default any',
      numberIn(0, 600, 'beats a minute'),
    )
    .option('--rate-over <n>', 'intervals that a heart rate is averaged over; default 8', count(1000));
  addQuality(command).option(
    '--patience <s>',
    'seconds of later signal to wait for a missing packet; default 0.25',
    numberIn(0, 60, 'seconds'),
  );
  addFhir(command);
  addFhirPatient(command)
    .option(
      '--fhir-every <s>',
      'seconds of signal of one result, of FHIR or HL7 v2; default 300',
      numberIn(1, 86_400, 'seconds'),
    )
    .option(
      '--fhir-beats <list>',
      'classes of which each beat gets an Observation of its own; default none',
      names,
    );
  addHl7Patient(addHl7(command));
  addDeployment(command);
}

/** As the use case takes them. @throws BedsideError E_USAGE for options of deliveries that would be ignored; E_FILE */
export function streamOptions(options: StreamCommandOptions): StreamOptions {
  const { source, fabric, nats, events: _, json: __, quiet: ___, seed: ____, ...others } = options;
  const { gatewayCa, gatewayPlainHttp: plainHttp, ...all } = others;
  const { fhirPatient: patients, hl7Patient: patientIdentifiers, fhirBeats: eachOf, ...rest } = all;
  return {
    ...rest,
    ...{ plainHttp, ca: gatewayCa === undefined ? undefined : readPem(gatewayCa) },
    ...{ fhir: fhirOutlet(options), hl7: hl7Outlet(options), patients, patientIdentifiers, eachOf },
    sources: source,
    fabric: fabric === 'local' ? undefined : fabric,
    ...(nats === undefined ? {} : { sourceServer: { fabric: nats } }),
  };
}
