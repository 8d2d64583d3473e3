// What names a patient in live signals, in names of beds, leads, files and members of archives, and in texts that cannot be
// read, appears in nothing that is kept or goes on: FHIR, HL7 v2, queues, logs, audit lines, metrics.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { LocalPool, stream } from '../src/app/index.ts';
import type { Bundle } from '../src/bundle/index.ts';
import { edfFile } from '../src/data/test-support/edf-file.ts';
import { niftiFile } from '../src/data/test-support/nifti-file.ts';
import { serve } from '../src/gateway/index.ts';
import { MllpReceiver } from '../src/interop/test-support/mllp-receiver.ts';
import { loadModel } from '../src/onnx/index.ts';
import { canonicalGraph } from '../src/onnx/internal.ts';
import { writtenBundle } from '../src/run/test-support/bundles.ts';
import { madeSignal, regularBeats } from '../src/signal/test-support/made-signal.ts';

const [RATE, SECONDS] = [360, 12];
/** Of names of beds, of leads and of files; of texts that are no packets; of the header and the notes of a recording. */
const BED = 'MARKBED';
const OTHERS = [
  'MARKLEAD',
  'MARKJUNK',
  'MARKMRN77',
  '02-FEB-1904',
  '02.02.1904',
  'MARKEDFNAME',
  'MARKACC88',
  'MARKNOTE',
];
const FILE = 'MARKFILE';
const ALL = [BED, FILE, ...OTHERS, 'MARKDESCRIP'];

const signal = madeSignal(regularBeats(SECONDS), { rate: RATE, seconds: SECONDS });
let folder = '';
let bundle: Bundle;
let pool: LocalPool;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-live-'));
  const model = await loadModel(new URL('../models/ecg-demo.onnx', import.meta.url).pathname);
  bundle = await writtenBundle(at('ecg'), canonicalGraph(model), { name: 'ecg' });
  pool = await LocalPool.start(bundle, { workers: 1 });
  for (const name of ['named', 'log']) await mkdir(at(name));
  await writeFile(at(`named/${FILE}_A.edf`), recording('MARKMRN77 F 02-FEB-1904 MARKEDFNAME_TEST'));
  // As systems write it that do not follow the standard.
  await writeFile(at(`named/${FILE}_B.edf`), recording('MARKEDFNAME, TEST  b. 02.02.1904   MARKMRN77'));
}, 60_000);
afterAll(async () => {
  await pool?.close();
  await rm(folder, { recursive: true, force: true });
});

function recording(patient: string): Uint8Array {
  const beats = regularBeats(SECONDS).map(({ at: time }, i) => ({ time, text: 'NAVFQ'[i % 5] ?? '' }));
  return edfFile({
    signals: [
      { label: 'ECG II', unit: 'mV', perRecord: RATE, samples: signal, physical: [-4, 4] },
      { label: 'MARKLEAD', unit: 'mV', perRecord: RATE, samples: signal, physical: [-4, 4] },
    ],
    annotations: [...beats, { time: 3.5, text: 'MARKNOTE' }],
    ...{ patient, recording: 'Startdate 31-JAN-2026 MARKACC88 MARKEDFNAME X' },
  });
}

/** A packet a second, and lines that are none. */
const packets = (): string =>
  Array.from({ length: SECONDS }, (_, i) => {
    const samples = [...signal.subarray(RATE * i, RATE * (i + 1))];
    return [
      JSON.stringify({ bed: BED, rate: RATE, lead: 'MARKLEAD', samples }),
      `{"bed":"${BED}","MARKJUNK":`,
      'MARKJUNK born 02-FEB-1904',
      JSON.stringify({ bed: BED, rate: 'MARKJUNK', samples: ['MARKMRN77'], unit: 'MARKJUNK' }),
    ].join('\n');
  }).join('\n');

const marked = (text: string, marks: readonly string[] = ALL): string[] =>
  marks.filter((mark) => text.toLowerCase().includes(mark.toLowerCase()));

/** Names and contents of all files of a folder. */
async function kept(parent: string): Promise<string> {
  const entries = await readdir(at(parent), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  expect(files.length, parent).toBeGreaterThan(0);
  const texts = await Promise.all(
    files.map(({ parentPath, name }) => readFile(join(parentPath, name), 'latin1')),
  );
  return [...entries.map(({ name }) => name), ...texts].join('\n');
}

it.each([
  ['packets of standard input', ['stdin']],
  ['recordings', [`edf:named/${FILE}_A.edf`, `edf:named/${FILE}_B.edf`]],
])('results of %s name nobody, and neither do events and notes', async (name, sources) => {
  const receiver = await MllpReceiver.start();
  const [events, notes]: [string[], string[]] = [[], []];
  const out = name.split(' ')[0] ?? '';
  // Nobody listens there: what waits is looked at too.
  const queue = at(`${out}-queue`);
  try {
    const result = await stream(
      bundle,
      {
        ...{
          pool,
          measure: false,
          speed: 0,
          lead: name === 'recordings' ? 'II' : 'MARKLEAD',
          ventricular: ['2'],
        },
        sources: sources.map((source) => source.replace('named', at('named'))),
        input: Readable.from([Buffer.from(packets())]),
        ...{ fhir: { target: at(`${out}-fhir`) }, fhirEvery: 5, flushSeconds: 5 },
        hl7: { target: `mllp://${receiver.place}`, queue },
        onEvent: (event) => events.push(JSON.stringify({ ...event, bed: '', lead: '' })),
      },
      { note: (text) => notes.push(text), progress: () => {} },
    );
    expect(result.answered).toBeGreaterThan(5);
    expect(receiver.messages.length).toBeGreaterThan(1);
    expect(marked(receiver.messages.join('\n'))).toEqual([]);
    expect(marked(await kept(`${out}-fhir`))).toEqual([]);
    // Beds, leads and paths are named to whoever named them: the operator, on the terminal.
    expect(marked([...events, ...notes].join('\n'), OTHERS)).toEqual([]);
    const { beds: _, ...rest } = result;
    expect(marked(JSON.stringify({ ...rest, remarks: [] }))).toEqual([]);
  } finally {
    await receiver.close();
  }
});

it('results that wait in a queue have names of nobody', async () => {
  const options = {
    pool,
    measure: false,
    speed: 0,
    lead: 'MARKLEAD',
    ventricular: ['2'],
    flushSeconds: 0.05,
  };
  const result = await stream(bundle, {
    ...{ ...options, sources: ['stdin'], input: Readable.from([Buffer.from(packets())]) },
    fhir: { target: 'http://127.0.0.1:9/r4', queue: at('waits-fhir') },
    hl7: { target: 'mllp://127.0.0.1:9', queue: at('waits-hl7') },
  });
  expect(result.fhir?.waiting).toBeGreaterThan(0);
  expect(result.hl7?.waiting).toBeGreaterThan(0);
  for (const parent of ['waits-fhir', 'waits-hl7']) expect(marked(await kept(parent))).toEqual([]);
});

it('a gateway logs and counts without names of beds, leads, files and members', async () => {
  const log = new PassThrough();
  let logged = '';
  log.on('data', (piece) => {
    logged += String(piece);
  });
  const gateway = await serve([bundle], {
    ...{ port: 0, workers: 1, measure: false, audit: at('log'), log, bodyLimit: 1e7, dashboard: false },
  });
  const answers: [number, string][] = [];
  try {
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v2/models/ecg/stream?lead=MARKLEAD`);
    const told: string[] = [];
    socket.on('message', (data) => told.push(String(data)));
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send(packets());
    socket.send('{"end":true}');
    await new Promise((resolve) => socket.once('close', resolve));
    expect(told.length).toBeGreaterThan(10);
    // Beds and leads are named to the monitor that named them.
    expect(
      marked(
        told.join('\n'),
        OTHERS.filter((mark) => mark !== 'MARKLEAD'),
      ),
    ).toEqual([]);
    const post = async (type: string, body: Uint8Array): Promise<void> => {
      const response = await fetch(`${gateway.url}/v2/models/ecg/infer`, {
        ...{ method: 'POST', body: body as unknown as string, headers: { 'content-type': type } },
      });
      answers.push([response.status, await response.text()]);
    };
    const whole = recording('MARKMRN77 F 02-FEB-1904 MARKEDFNAME_TEST');
    await post('application/edf', whole);
    await post('application/edf', whole.subarray(0, 2000));
    await post(
      'application/x-nifti',
      niftiFile({ size: [4, 4, 2], values: [], type: 'uint8', description: 'MARKDESCRIP' }),
    );
    await post('application/zip', zipSync({ [`${FILE}.hea`]: Buffer.from(`${FILE} 1 MARKJUNK\n`) }));
    await post('application/zip', zipSync({ [`${FILE}.edf`]: whole }));
    await post('application/json', Buffer.from('{"inputs":[{"name":"MARKJUNK"}],"id":"MARKMRN77"}'));
    logged += await (await fetch(`${gateway.url}/metrics`)).text();
  } finally {
    await gateway.close();
  }
  expect(answers.map(([status]) => status >= 400)).toEqual([false, true, true, true, false, true]);
  expect(marked(answers[0]?.[1] ?? 'MARKJUNK')).toEqual([]);
  expect(marked(answers[1]?.[1] ?? 'MARKJUNK')).toEqual([]);
  expect(marked(answers[2]?.[1] ?? 'MARKJUNK')).toEqual([]);
  expect(logged.length).toBeGreaterThan(1000);
  expect(marked(logged)).toEqual([]);
  expect(marked(await kept('log'))).toEqual([]);
}, 30_000);
