// --hl7-out and what belongs to it: which receiver of HL7 v2 gets results, and how.
import type { Command } from 'commander';
import { assertPatientIdentifier, type Hl7OutletOptions } from '../../interop/index.ts';
import { refuseUnused } from './conflicts.ts';
import { byBed, readPem } from './fhir.ts';

/** As commander gives them. */
export interface Hl7CommandOptions {
  readonly hl7Out?: string;
  readonly hl7Queue?: string;
  readonly hl7Ca?: string;
  readonly hl7Plain?: boolean;
  readonly hl7Patient?: Readonly<Record<string, string>>;
}

/** Messages wait here for their receiver, unless --hl7-queue names another folder. */
const DEFAULT_QUEUE = 'hl7-queue';

/** Adds them. */
export function addHl7(command: Command): Command {
  return command
    .option(
      '--hl7-out <address>',
      'also give results as HL7 v2 (ORU^R01) to a receiver: mllps://host:port, or mllp:// of this machine',
    )
    .option('--hl7-queue <folder>', `where they wait for it, whatever happens (default: ${DEFAULT_QUEUE})`)
    .option('--hl7-ca <file>', 'certificates of its authority, PEM; default: those that Node trusts')
    .option('--hl7-plain', 'send results unprotected: mllp:// to another machine');
}

/** `123^^^HOSPITAL^MR` for the only bed, or `BED=…`; again for another bed. */
export function addHl7Patient(command: Command): Command {
  return command.option(
    '--hl7-patient <identifier>',
    'whose results these are, as PID-3: 123^^^HOSPITAL^MR, or BED=… for each bed; never read from data',
    byBed(/^(?:([^=^]*)=)?(.*)$/s, assertPatientIdentifier),
  );
}

/** Where results go; undefined without --hl7-out. @throws BedsideError E_USAGE for options that would be ignored; E_FILE */
export function hl7Outlet(
  options: Hl7CommandOptions,
): (Hl7OutletOptions & { readonly target: string }) | undefined {
  const { hl7Out, hl7Queue, hl7Ca, hl7Plain, hl7Patient } = options;
  if (hl7Out === undefined) {
    const ofReceiver = {
      '--hl7-queue': hl7Queue,
      '--hl7-ca': hl7Ca,
      '--hl7-plain': hl7Plain,
      '--hl7-patient': hl7Patient,
    };
    refuseUnused(ofReceiver, '--hl7-out', 'name a receiver as mllps://host:port, or leave it out');
    return undefined;
  }
  return {
    ...{ target: hl7Out, queue: hl7Queue ?? DEFAULT_QUEUE, plain: hl7Plain },
    ca: hl7Ca === undefined ? undefined : readPem(hl7Ca),
  };
}
