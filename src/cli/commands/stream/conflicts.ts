// Options of `bedside stream` that contradict each other.
import { assertNoConflict, type Conflict } from '../../options/conflicts.ts';
import { DEPLOYMENT_CONFLICTS } from '../../options/deployment.ts';
import { assertFabric } from '../../options/nats.ts';
import type { StreamCommandOptions } from './options.ts';

const CONFLICTS: readonly Conflict<StreamCommandOptions>[] = [
  {
    when: ({ gateway, fleet, workers, fabric }) =>
      gateway !== undefined && (fleet !== undefined || workers !== undefined || fabric !== 'local'),
    message: '--gateway has workers of its own: --fleet, --workers and --fabric are for this process',
    hint: 'give them to bedside serve',
  },
  {
    when: ({ gateway, tokenFile, gatewayCa, gatewayPlainHttp }) =>
      gateway === undefined && (tokenFile ?? gatewayCa ?? gatewayPlainHttp) !== undefined,
    message: '--token-file, --gateway-ca and --gateway-plain-http are for a gateway',
    hint: 'name it with --gateway',
  },
  {
    when: ({ events, json }) => events === '-' && json === true,
    message: '--events - and --json both write to standard output',
    hint: 'write events to a file',
  },
  {
    when: ({ run = 3 }) => run < 2,
    message: '--run is of two beats at least',
    hint: 'three or more in a row are usual',
  },
  {
    when: ({ fhirOut, hl7Out, fhirEvery }) => (fhirOut ?? hl7Out) === undefined && fhirEvery !== undefined,
    message: '--fhir-every has no meaning without --fhir-out or --hl7-out',
    hint: 'say where results go, or leave it out',
  },
  {
    when: ({ fhirOut, fhirPatient, fhirBeats }) =>
      fhirOut === undefined && (fhirPatient ?? fhirBeats) !== undefined,
    message: '--fhir-patient and --fhir-beats have no meaning without --fhir-out',
    hint: 'name a folder or a server, or leave them out',
  },
  ...DEPLOYMENT_CONFLICTS,
];

/** @throws BedsideError E_USAGE for options that contradict each other, and for a fabric that does not exist */
export function assertStreamOptions(options: StreamCommandOptions): void {
  assertNoConflict(options, CONFLICTS);
  assertFabric(options.fabric);
}
