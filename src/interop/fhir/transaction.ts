// A result as one transaction: everything that belongs to it is made together, once, however often it is sent.
import type { DiagnosticReport, FhirResource, Observation } from 'fhir/r4.js';
import { BedsideError } from '../../util/index.ts';
import { uuidOf } from '../identity.ts';
import type { BeatChoice, Result } from '../result.ts';
import { URI, uriIdentifier } from './codes.ts';
import { cardUri, deviceOf, deviceUri, modelCardOf } from './device.ts';
import { observationsOf } from './observations.ts';
import { provenanceOf, reportOf } from './report.ts';

/** One resource of a transaction, made unless the server has it. */
export interface TransactionEntry {
  readonly fullUrl: string;
  readonly resource: { readonly resourceType: string };
  readonly request: { readonly method: 'POST'; readonly url: string; readonly ifNoneExist: string };
}

/** A Bundle of FHIR R4 that makes a result. */
export interface ResultTransaction {
  readonly resourceType: 'Bundle';
  readonly type: 'transaction';
  readonly timestamp: string;
  /** Of the result. */
  readonly identifier: { readonly system: string; readonly value: string };
  readonly entry: readonly TransactionEntry[];
}

/** Where results without an identifier of their own are found again: Provenance has none in R4. */
const TAG_SYSTEM = URI;

/**
 * The transaction of a result: Device, DocumentReference of the model card, Observations, DiagnosticReport and Provenance,
 * each made by a conditional create. Sent twice, the second finds all of them and makes nothing.
 * @throws BedsideError E_USAGE for a patient that is no reference, or a result whose id is no UUID
 */
export function transactionOf(result: Result, choice: BeatChoice = {}): ResultTransaction {
  assertResult(result);
  const url = (...parts: string[]): string => `urn:uuid:${uuidOf(result.id, ...parts)}`;
  const [device, card] = [
    `urn:uuid:${uuidOf(deviceUri(result.by))}`,
    `urn:uuid:${uuidOf(cardUri(result.by))}`,
  ];
  const observations = observationsOf(result, device, choice);
  const links = { device, card, observations: observations.map(({ place }) => url(place)) };
  const [report, provenance] = [url('report'), url('provenance')];
  const own = (fullUrl: string, resource: Observation | DiagnosticReport): TransactionEntry =>
    entryOf(fullUrl, { ...resource, identifier: [uriIdentifier(fullUrl)] }, `identifier=${token(fullUrl)}`);
  return {
    resourceType: 'Bundle',
    type: 'transaction',
    timestamp: result.issued,
    identifier: { system: URI, value: `urn:uuid:${result.id}` },
    entry: [
      entryOf(device, deviceOf(result.by, card), `identifier=${token(deviceUri(result.by))}`),
      entryOf(card, modelCardOf(result.by), `identifier=${token(cardUri(result.by))}`),
      ...observations.map(({ place, resource }) => own(url(place), resource)),
      own(report, reportOf(result, links, choice)),
      entryOf(
        provenance,
        {
          ...provenanceOf(result, links, [report, ...links.observations]),
          meta: { tag: [{ system: TAG_SYSTEM, code: provenance }] },
        },
        `_tag=${token(provenance)}`,
      ),
    ],
  };
}

function entryOf(fullUrl: string, resource: FhirResource, ifNoneExist: string): TransactionEntry {
  return { fullUrl, resource, request: { method: 'POST', url: resource.resourceType, ifNoneExist } };
}

function token(value: string): string {
  return encodeURIComponent(`${URI}|${value}`);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** A relative reference to a patient, or one on another server. */
const PATIENT = /^(https?:\/\/[^\s/?#@|]+(\/[^\s?#|]*)?\/)?Patient\/[A-Za-z0-9\-.]{1,64}$/;

/**
 * Checks that a text refers to a patient: `Patient/123`, or the same behind a server's address.
 * @throws BedsideError E_USAGE if it does not
 */
export function assertPatient(patient: string): void {
  if (PATIENT.test(patient)) return;
  throw new BedsideError('E_USAGE', 'the patient is no reference of FHIR', {
    hint: "such as 'Patient/123', or the whole address of a Patient; a name or a number alone is none",
  });
}

function assertResult({ id, patient }: Result): void {
  if (patient !== undefined) assertPatient(patient);
  if (!UUID.test(id))
    throw new BedsideError('E_USAGE', 'the id of a result is no UUID', { hint: 'give a UUID in lower case' });
}
