// --fhir-out and what belongs to it: where results go as FHIR, and how.
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { assertPatient, isFhirServer, type OutletOptions, secretFrom } from '../../interop/index.ts';
import { BedsideError, messageOf } from '../../util/index.ts';
import { refuseUnused } from './conflicts.ts';

/** As commander gives them. */
export interface FhirCommandOptions {
  readonly fhirOut?: string;
  readonly fhirQueue?: string;
  readonly fhirTokenFile?: string;
  readonly fhirCa?: string;
  readonly fhirPlainHttp?: boolean;
}

/** Results wait here for a server, unless --fhir-queue names another folder. */
const DEFAULT_QUEUE = 'fhir-queue';

/** Adds them. */
export function addFhir(command: Command): Command {
  return command
    .option(
      '--fhir-out <where>',
      'also give results as FHIR R4: a folder, one file each; or the base address of a server',
    )
    .option(
      '--fhir-queue <folder>',
      `where results wait for a server, whatever happens (default: ${DEFAULT_QUEUE})`,
    )
    .option(
      '--fhir-token-file <file>',
      'token for the server, read before each request; else the variable BEDSIDE_FHIR_TOKEN',
    )
    .option(
      '--fhir-ca <file>',
      "certificates of the server's authority, PEM; default: those that Node trusts",
    )
    .option('--fhir-plain-http', 'send results unprotected: http:// to another machine');
}

/** `Patient/123` for the only bed, or `BED=Patient/123`; again for another bed. */
export function addFhirPatient(command: Command): Command {
  return command.option(
    '--fhir-patient <reference>',
    'whose results these are: Patient/123, or BED=Patient/123 for each bed; never read from data',
    byBed(/^(?:([^=]*)=)?(.*)$/s, assertPatient),
  );
}

/**
 * Reads an option that is given once for each bed.
 * @param form the bed, if it is named, and whose its results are
 */
export function byBed(form: RegExp, assert: (patient: string) => void) {
  return (text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> => {
    const [, bed = '', patient = ''] = form.exec(text) ?? [];
    try {
      assert(patient);
    } catch (error) {
      throw new InvalidArgumentError(messageOf(error));
    }
    return { ...before, [bed]: patient };
  };
}

/** Where results go; undefined without --fhir-out. @throws BedsideError E_USAGE for options that would be ignored; E_FILE */
export function fhirOutlet(
  options: FhirCommandOptions,
): (OutletOptions & { readonly target: string }) | undefined {
  const { fhirOut, fhirQueue, fhirTokenFile, fhirCa, fhirPlainHttp } = options;
  if (fhirOut === undefined || !isFhirServer(fhirOut)) {
    const ofServer = {
      '--fhir-queue': fhirQueue,
      '--fhir-token-file': fhirTokenFile,
      '--fhir-ca': fhirCa,
      '--fhir-plain-http': fhirPlainHttp,
    };
    refuseUnused(ofServer, 'a server in --fhir-out', 'name one as https://host/base, or leave it out');
  }
  if (fhirOut === undefined) return undefined;
  return {
    target: fhirOut,
    queue: fhirQueue ?? DEFAULT_QUEUE,
    token: secretFrom(fhirTokenFile, 'BEDSIDE_FHIR_TOKEN'),
    ca: fhirCa === undefined ? undefined : readPem(fhirCa),
    plainHttp: fhirPlainHttp,
  };
}

/** @throws BedsideError E_FILE */
export function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new BedsideError('E_FILE', `certificates in ${path} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}
