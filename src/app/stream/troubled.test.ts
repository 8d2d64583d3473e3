// Signals with all their troubles, from their sources to a FHIR server: a file of EDF with gaps, and two beds over NATS.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Bundle } from '../../bundle/index.ts';
import { runHere } from '../../cli/test-support/in-process.ts';
import { edfFile } from '../../data/test-support/edf-file.ts';
import { FhirServer } from '../../interop/test-support/fhir-server.ts';
import { loadModel } from '../../onnx/index.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import { hasNatsServer, OpenServer } from '../../run/nats/test-support/nats-server.ts';
import { writtenBundle } from '../../run/test-support/bundles.ts';
import { madeSignal, regularBeats } from '../../signal/test-support/made-signal.ts';
import { LocalPool } from '../run/local-pool.ts';
import type { StreamEvent } from './events.ts';
import { stream } from './stream.ts';

const NETWORK = fileURLToPath(new URL('../../../models/ecg-demo.onnx', import.meta.url));
const [RATE, SECONDS] = [360, 30];
const made = regularBeats(SECONDS);
const signal = madeSignal(made, { rate: RATE, seconds: SECONDS });
/** The lead is off in between: two seconds, and a bit. */
const FLAT = [20.2, 22.4] as const;
const [off, on] = FLAT.map((second) => Math.round(second * RATE)) as [number, number];
signal.fill(signal[off] ?? 0, off, on);
// It comes back with another offset of its electrodes: a jump of 2 mV, which is no beat.
for (let i = on; i < signal.length; i++) signal[i] = (signal[i] ?? 0) + 2;

let folder: string;
let bundle: Bundle;
let pool: LocalPool;
let server: FhirServer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-troubled-'));
  bundle = await writtenBundle(join(folder, 'bundle'), canonicalGraph(await loadModel(NETWORK)));
  pool = await LocalPool.start(bundle, { workers: 1 });
  server = await FhirServer.start();
});
afterAll(async () => {
  await server?.close();
  await pool?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Sentences of the reports that a server was given. */
const conclusions = (): string =>
  server.resources.map((own) => (own as { readonly conclusion?: string }).conclusion ?? '').join('\n');

/** Times of beats that are found must be those of beats that there are. */
function expectTrue(at: readonly number[], beats: readonly { readonly at: number }[]): void {
  for (const found of at)
    expect(Math.min(...beats.map((beat) => Math.abs(beat.at - found))), `a beat at ${found}`).toBeLessThan(
      0.05,
    );
}

it('a file of EDF+ with gaps, in microvolts: what is missing and flat is said, and results reach a FHIR server', async () => {
  // Ten seconds are missing from second 10 on.
  const onsets = Array.from({ length: SECONDS }, (_, i) => (i < 10 ? i : i + 10));
  const shown = (at: number): number => (at < 10 ? at : at + 10);
  const inFile = made.filter(({ at }) => at < FLAT[0] || at > FLAT[1]).map(({ at }) => ({ at: shown(at) }));
  const bytes = edfFile({
    signals: [
      {
        label: 'ECG II',
        unit: 'uV',
        perRecord: RATE,
        samples: signal.map((mv) => 1000 * mv),
        physical: [-5000, 5000],
      },
      {
        label: 'SaO2',
        unit: '%',
        perRecord: 1,
        samples: new Float64Array(SECONDS).fill(97),
        physical: [0, 100],
      },
    ],
    annotations: inFile.map(({ at }) => ({ time: at, text: 'N' })),
    ...{ onsets, patient: 'X X X NAME^TEST' },
  });
  const path = join(folder, 'night.rec');
  await writeFile(path, bytes);
  const events = join(folder, 'events.ndjson');
  const { status, stdout } = await runHere([
    ...['stream', bundle.dir, '--source', `edf:${path}`, '--lead', 'II', '--speed', '0', '--workers', '1'],
    ...['--fhir-out', server.url, '--fhir-queue', join(folder, 'queue'), '--fhir-patient', 'Patient/test-1'],
    ...['--ventricular', '2', '--events', events, '--json', '--quiet'],
  ]);
  expect(status).toBe(0);
  const { beds, qrs, beats, answered, late, lost, fhir } = JSON.parse(stdout);
  expect(fhir).toMatchObject({ delivered: 1, waiting: 0, refused: 0 });
  expect(answered + late + lost).toBe(beats);
  expect(beds[0]).toMatchObject({ lead: 'ECG II', rate: RATE, seconds: SECONDS + 10 });
  expect(beds[0].signal.missing).toBeCloseTo(10, 2);
  expect(beds[0].signal.flat).toBeCloseTo(FLAT[1] - FLAT[0], 1);
  expect(qrs).toMatchObject({ fp: 0, positivePredictivity: 1 });
  // After a gap, and after a flat lead, levels may be learned anew.
  expect(qrs.sensitivity).toBeGreaterThan(0.8);
  expect(conclusions()).toMatch(/1 times that the lead was flat/);
  expect(server.count('DiagnosticReport')).toBe(1);
  expect(JSON.stringify(server.resources) + stdout).not.toContain('NAME^TEST');
});

it.skipIf(!hasNatsServer)(
  'two beds over NATS: drift, gaps, late packets, a flat lead and a changed rate are said',
  async () => {
    await using nats = await OpenServer.start();
    const [url = ''] = nats.access.servers ?? [];
    const sender = await connect({ servers: url });
    const control = new AbortController();
    const events: StreamEvent[] = [];
    const pieces = Array.from({ length: SECONDS * 10 }, (_, i) => [...signal.subarray(36 * i, 36 * (i + 1))]);
    // The monitor's clock is 400 parts per million fast; two packets get lost, and one comes half a second late.
    const one = pieces.map((samples, i) => ({
      bed: 'a',
      at: 5000 + 0.1 * i * 1.0004,
      rate: RATE,
      lead: 'II',
      samples,
    }));
    one.splice(156, 0, ...one.splice(150, 1));
    one.splice(100, 2);
    // The other bed, in microvolts, has half as many samples a second from second 15 on, and lead V1 too.
    const two = pieces.map((samples, i) => {
      const microvolts = samples.map((mv) => 1000 * mv).filter((_, at) => i < 150 || at % 2 === 0);
      return {
        bed: 'b',
        rate: i < 150 ? RATE : RATE / 2,
        unit: 'uV',
        leads: { II: microvolts, V1: microvolts },
      };
    });
    const publish = async (): Promise<void> => {
      for (const [i, packet] of two.entries()) {
        for (const own of [one[i], packet]) if (own) sender.publish('ward.ecg', JSON.stringify(own));
      }
      sender.publish('ward.ecg', '{"bed":"end","samples":[1]}');
      await sender.flush();
    };
    const result = await stream(
      bundle,
      {
        ...{
          pool,
          measure: false,
          ventricular: ['2'],
          sources: ['nats:ward.ecg'],
          sourceServer: { fabric: url },
        },
        fhir: { target: server.url, queue: join(folder, 'queue-nats') },
        // Two beds of one source: each has a patient of its own, as has none.
        ...{ patients: { a: 'Patient/test-2' }, signal: control.signal },
        onEvent: (event) => {
          events.push(event);
          if (event.bed === 'end') control.abort();
        },
      },
      { note: (text) => text.startsWith('packets are taken') && void publish(), progress: () => {} },
    );
    await sender.close();
    const [a, b] = ['a', 'b'].map((name) => result.beds.find(({ bed }) => bed === name));
    expect(a?.signal).toMatchObject({ gaps: 2, late: 36, rateChanges: 0, malformed: 0, restarts: 0 });
    expect(a?.signal.drift).toBeCloseTo(400, -1);
    expect(a?.signal.flat).toBeCloseTo(FLAT[1] - FLAT[0], 1);
    expect(b?.signal).toMatchObject({ gaps: 0, late: 0, rateChanges: 1, malformed: 0 });
    expect(b?.rate).toBe(RATE / 2);
    const readable = made.filter(({ at }) => at < FLAT[0] || at > FLAT[1]);
    for (const [bed, name] of [
      [a, 'a'],
      [b, 'b'],
    ] as const) {
      const told = events.filter((event) => event.bed === name && event.kind !== 'signal');
      expectTrue(
        told.map(({ at }) => at),
        readable,
      );
      expect(told.length).toBeGreaterThan(0.75 * readable.length);
      expect(bed?.beats).toBe(told.length);
      expect((bed?.answered ?? 0) + (bed?.late ?? 0) + (bed?.lost ?? 0)).toBe(told.length);
    }
    const kinds = new Set(
      events.flatMap((event) => (event.kind === 'signal' ? [`${event.bed} ${event.what}`] : [])),
    );
    for (const kind of ['a gap', 'a late', 'a flat', 'a readable', 'b rate', 'b flat'])
      expect(kinds).toContain(kind);
    expect(result.fhir).toMatchObject({ waiting: 0, refused: 0 });
    for (const said of [
      '2 gaps in the signal',
      '1 packets that came too late',
      '1 changes of the sampling rate',
    ])
      expect(conclusions()).toContain(said);
    const reports = server.resources.filter(({ resourceType }) => resourceType === 'DiagnosticReport');
    const subjects = reports.map(
      (own) => (own as { readonly subject?: { readonly reference: string } }).subject?.reference,
    );
    expect(subjects).toContain('Patient/test-2');
    expect(result.remarks?.join()).toMatch(/results of \d beds? name no patient in FHIR/);
  },
);
