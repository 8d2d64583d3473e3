// A stream of a record into FHIR: every beat is in one result, and nothing of the record's names is in any.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../bundle/index.ts';
import { writeRecord } from '../../data/test-support/wfdb-record.ts';
import { FhirServer } from '../../interop/test-support/fhir-server.ts';
import { MllpReceiver } from '../../interop/test-support/mllp-receiver.ts';
import { loadModel } from '../../onnx/index.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import { writtenBundle } from '../../run/test-support/bundles.ts';
import { madeSignal, regularBeats } from '../../signal/test-support/made-signal.ts';
import { LocalPool } from '../run/local-pool.ts';
import type { StreamOptions } from './options.ts';
import { stream } from './stream.ts';

const NETWORK = fileURLToPath(new URL('../../../models/ecg-demo.onnx', import.meta.url));
const [RATE, SECONDS] = [360, 25];
/** The name of the record, which must not leave. */
const MARK = 'name-test-4711';

let folder: string;
let bundle: Bundle;
let pool: LocalPool;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-to-fhir-'));
  bundle = await writtenBundle(join(folder, 'bundle'), canonicalGraph(await loadModel(NETWORK)));
  pool = await LocalPool.start(bundle, { workers: 1 });
  const beats = regularBeats(SECONDS).map((beat, i) => ({ ...beat, ventricular: i % 6 === 5 }));
  const signal = madeSignal(beats, { rate: RATE, seconds: SECONDS });
  await writeRecord(folder, MARK, { rate: RATE, leads: [{ name: 'MLII', signal }], beats: [] });
});
afterAll(async () => {
  await pool?.close();
  await rm(folder, { recursive: true, force: true });
});

const run = async (target: string, more: Partial<StreamOptions> = {}) => {
  const notes: string[] = [];
  const sources = [`wfdb:${join(folder, MARK)}`];
  const given = { pool, measure: false, speed: 0, sources, ventricular: ['2'] };
  const result = await stream(
    bundle,
    { ...given, fhir: { target, queue: join(folder, 'queue'), firstRetry: 0.01 }, ...more },
    { note: (text) => notes.push(text), progress: () => {} },
  );
  return { result, notes };
};

interface Resource {
  readonly resourceType: string;
  readonly conclusion?: string;
  readonly subject?: { readonly reference: string };
  readonly presentedForm?: readonly { readonly data: string }[];
  readonly effectivePeriod?: { readonly start: string; readonly end: string };
}

describe('a stream', () => {
  it('is a result for each period, which together have every beat', async () => {
    const out = join(folder, 'fhir');
    const { result, notes } = await run(out, { fhirEvery: 10, patients: { '': 'Patient/test-1' } });
    expect(result.fhir).toEqual({ delivered: 3, waiting: 0, refused: 0 });
    const names = await readdir(out);
    const texts = await Promise.all(names.map((name) => readFile(join(out, name), 'utf8')));
    const reports = texts
      .flatMap((text) => (JSON.parse(text) as { entry: { resource: Resource }[] }).entry)
      .map(({ resource }) => resource)
      .filter(({ resourceType }) => resourceType === 'DiagnosticReport')
      .sort((a, b) => ((a.effectivePeriod?.start ?? '') < (b.effectivePeriod?.start ?? '') ? -1 : 1));
    expect(reports.map(({ subject }) => subject?.reference)).toEqual(Array(3).fill('Patient/test-1'));
    const rows = reports.flatMap(({ presentedForm }) => {
      const csv = Buffer.from(presentedForm?.[0]?.data ?? '', 'base64').toString();
      return csv.trim().split('\n').slice(1);
    });
    expect(rows.length).toBe(result.beats);
    expect(result.beats).toBeGreaterThan(20);
    for (const [name, count] of Object.entries(result.classes))
      expect(rows.filter((row) => row.split(',')[1] === name).length).toBe(count);
    for (const row of rows) expect(Number(row.split(',')[0])).toBeLessThanOrEqual(10);
    for (const { conclusion } of reports)
      expect(conclusion).toContain('in lead MLII at 360 samples a second');
    expect(reports[0]?.conclusion).toContain('A record was replayed');
    expect(reports[0]?.effectivePeriod?.end).toBe(reports[1]?.effectivePeriod?.start);
    const { remarks: _, ...kept } = result;
    expect(JSON.stringify(kept.fhir) + names.join() + texts.join() + notes.join()).not.toContain(MARK);
  });

  it('goes on without a server, which the next run delivers to', async () => {
    const server = await FhirServer.start();
    const { port, url } = server;
    await server.close();
    const first = await run(url, {
      fhir: { target: url, queue: join(folder, 'queue'), firstRetry: 0.01 },
      ...{ seconds: 8, flushSeconds: 0.1 },
    });
    expect(first.result.fhir).toMatchObject({ delivered: 0, waiting: 1 });
    expect(first.result.remarks).toContain('results of 1 bed name no patient in FHIR: none was given');
    await server.listen(port);
    const second = await run(url, { seconds: 8 });
    expect(second.result.fhir).toMatchObject({ delivered: 2, waiting: 0 });
    expect(server.count('DiagnosticReport')).toBe(2);
    expect(server.count('Device')).toBe(1);
    await server.close();
  });

  it('is FHIR and HL7 v2 at once: a message for each period, with the same beats', async () => {
    const receiver = await MllpReceiver.start();
    try {
      const hl7 = { target: `mllp://${receiver.place}`, queue: join(folder, 'hl7-queue') };
      const { result } = await run(join(folder, 'both'), {
        ...{ hl7, fhirEvery: 10, patientIdentifiers: { '': '4712^^^WARD' } },
      });
      expect(result).toMatchObject({ fhir: { delivered: 3 }, hl7: { delivered: 3, waiting: 0, refused: 0 } });
      const segments = receiver.messages.flatMap((message) => message.split('\r'));
      const count = (what: string): number =>
        segments
          .filter((own) => own.startsWith('OBX|') && own.includes(`|${what}^`))
          .reduce((sum, own) => sum + Number(own.split('|')[5]), 0);
      for (const [i, found] of Object.values(result.classes).entries())
        expect(count(`BEATS-${i}`)).toBe(found);
      expect(segments.filter((own) => own.startsWith('PID|1||4712^^^WARD|')).length).toBe(3);
      expect(receiver.messages.join()).not.toContain(MARK);
      expect(result.remarks).toContain('results of 1 bed name no patient in FHIR: none was given');
    } finally {
      await receiver.close();
    }
    const hl7 = { target: 'mllp://127.0.0.1:1', queue: join(folder, 'hl7-queue') };
    const wrong = run(join(folder, 'both'), { hl7, patientIdentifiers: { '': 'a|b' } });
    await expect(wrong).rejects.toMatchObject({
      code: 'E_USAGE',
      message: 'the patient is no identifier of HL7 v2',
    });
  });

  it('goes nowhere without a target, which is said', async () => {
    for (const [options, name] of [
      [{ patientIdentifiers: { '': '4712^^^WARD' } }, '`patientIdentifiers` has no meaning without `hl7`'],
      [{ fhir: undefined, eachOf: ['V'] }, '`eachOf` has no meaning without `fhir`'],
      [{ fhir: undefined, flushSeconds: 1 }, '`flushSeconds` has no meaning without `fhir` or `hl7`'],
    ] as const) {
      await expect(run(join(folder, 'none'), options)).rejects.toMatchObject({
        code: 'E_USAGE',
        message: name,
      });
    }
  });

  it('of one source with several beds gives none of them the patient of the only bed', async () => {
    const samples = (from: number) => [
      ...madeSignal(regularBeats(8), { rate: RATE, seconds: 8 }).subarray(from),
    ];
    const packets = ['constructor', 'b', 'b'].map((bed) =>
      JSON.stringify({ bed, rate: RATE, lead: 'MLII', samples: samples(0) }),
    );
    const input = () => Readable.from([Buffer.from(packets.join('\n'))]);
    const patientsIn = async (patients: Record<string, string>, name: string) => {
      const { result } = await run(join(folder, name), { sources: ['stdin'], input: input(), patients });
      const files = await readdir(join(folder, name));
      const texts = await Promise.all(files.map((file) => readFile(join(folder, name, file), 'utf8')));
      return { result, all: texts.map((text) => /Patient\/\w+/.exec(text)?.[0]).sort() };
    };
    const one = await patientsIn({ '': 'Patient/1' }, 'only');
    expect(one.all).toEqual([undefined, undefined]);
    expect(one.result.remarks.join()).toContain(
      'a patient was given for the only bed in FHIR, and several came',
    );
    const each = await patientsIn({ b: 'Patient/2' }, 'named');
    expect(each.all).toEqual(['Patient/2', undefined]);
  });

  it('of several beds has a patient for each, by name', async () => {
    const sources = [`wfdb:${join(folder, MARK)}`, `wfdb:${join(folder, MARK)}`];
    const target = join(folder, 'several');
    await expect(run(target, { sources, patients: { '': 'Patient/1' } })).rejects.toMatchObject({
      code: 'E_USAGE',
    });
    await expect(run(target, { patients: { '': MARK } })).rejects.toMatchObject({ code: 'E_USAGE' });
  });
});
