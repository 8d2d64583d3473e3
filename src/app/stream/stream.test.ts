// Streams from their sources to their answers, on workers and through a gateway, and what malformed input does.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Bundle } from '../../bundle/index.ts';
import { runHere } from '../../cli/test-support/in-process.ts';
import { openDataset } from '../../data/index.ts';
import { edfFile } from '../../data/test-support/edf-file.ts';
import { writeRecord } from '../../data/test-support/wfdb-record.ts';
import { type FloatTensor, tensor } from '../../engine/index.ts';
import { serve } from '../../gateway/index.ts';
import { loadModel } from '../../onnx/index.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import { writtenBundle } from '../../run/test-support/bundles.ts';
import { madeSignal, regularBeats } from '../../signal/test-support/made-signal.ts';
import { Random } from '../../util/internal.ts';
import { LocalPool } from '../run/local-pool.ts';
import { SingleMachine } from '../run/single-machine.ts';
import type { AnsweredBeat, StreamEvent } from './events.ts';
import type { StreamOptions } from './options.ts';
import { stream } from './stream.ts';

const NETWORK = fileURLToPath(new URL('../../../models/ecg-demo.onnx', import.meta.url));
const RATE = 360;
const SECONDS = 30;

const made = regularBeats(SECONDS).map((beat, i) => ({ ...beat, ventricular: i % 6 === 5 }));
const signal = madeSignal(made, { rate: RATE, seconds: SECONDS }).map(
  (value) => Math.round(4000 * value) / 4000,
);
let folder: string;
let bundle: Bundle;
let pool: LocalPool;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-stream-'));
  bundle = await writtenBundle(join(folder, 'bundle'), canonicalGraph(await loadModel(NETWORK)));
  pool = await LocalPool.start(bundle, { workers: 1 });
  const beats = made.map(({ at, ventricular }) => [Math.round(at * RATE), ventricular ? 5 : 1] as const);
  await writeRecord(folder, 'r1', { rate: RATE, leads: [{ name: 'MLII', signal }], beats });
});
afterAll(async () => {
  await pool?.close();
  await rm(folder, { recursive: true, force: true });
});

const run = async (options: Omit<StreamOptions, 'sources'> & { readonly sources?: readonly string[] }) => {
  const events: StreamEvent[] = [];
  const { sources = [`wfdb:${join(folder, 'r1')}`], ...rest } = options;
  const where = rest.gateway === undefined ? { pool, measure: false } : {};
  const result = await stream(bundle, {
    ...where,
    speed: 0,
    ventricular: ['2'],
    sources,
    ...rest,
    onEvent: (event) => events.push(event),
  });
  return { result, beats: events.filter((event): event is AnsweredBeat => event.kind === 'beat'), events };
};

/** Packets of a tenth of a second as JSON lines. */
const lines = (more: (i: number) => object = () => ({})): string[] =>
  Array.from({ length: SECONDS * 10 }, (_, i) =>
    JSON.stringify({
      rate: RATE,
      lead: 'MLII',
      samples: [...signal.subarray(36 * i, 36 * i + 36)],
      ...more(i),
    }),
  );
const input = (text: string | Uint8Array): Readable => Readable.from([Buffer.from(text)]);

describe('stream', () => {
  it('answers each beat of a record as one machine answers its window, in order', async () => {
    const { result, beats } = await run({ peaks: 'annotated' });
    expect(result).toMatchObject({ beats: made.length, late: 0, finished: true, seconds: SECONDS });
    expect(result.answered + result.lost).toBe(result.beats);
    const dataset = await openDataset(folder, { sampleShape: [1, 256], classes: 5, split: 'all', seed: 1 });
    expect(beats.length).toBe(dataset.size);
    const single = new SingleMachine(bundle);
    let right = 0;
    for (const [i, { label, levels, probability }] of beats.entries()) {
      const scores = await single.run(
        levels,
        tensor(dataset.samples.slice(256 * i, 256 * (i + 1)), [1, 1, 256]) as FloatTensor,
      );
      expect(label).toBe(scores.indexOf(Math.max(...scores)));
      expect(probability).toBeGreaterThan(0.2);
      if (label === dataset.labels?.[i]) right++;
    }
    await single.close();
    expect(result.accuracy).toBeCloseTo(right / beats.length, 10);
    expect(beats.map(({ at }) => at)).toEqual(beats.map(({ at }) => at).toSorted((a, b) => a - b));
  });

  it('cuts windows around the peaks that a file of EDF names, and is refused one without', async () => {
    const heart = {
      label: 'ECG II',
      unit: 'mV',
      perRecord: RATE,
      samples: signal,
      physical: [-8.192, 8.191],
    } as const;
    const annotations = made.map(({ at, ventricular }) => ({
      ...{ time: Math.round(at * RATE) / RATE, text: ventricular ? 'V' : 'N' },
    }));
    await writeFile(join(folder, 'a.edf'), edfFile({ signals: [heart], annotations }));
    await writeFile(join(folder, 'bare.edf'), edfFile({ signals: [heart] }));
    const of = (name: string) => run({ peaks: 'annotated', sources: [`edf:${join(folder, name)}`] });
    const [own, same] = [await of('a.edf'), await run({ peaks: 'annotated' })];
    expect(own.beats.map(({ sample, label }) => [sample, label])).toEqual(
      same.beats.map(({ sample, label }) => [sample, label]),
    );
    expect(own.result.accuracy).toBe(same.result.accuracy);
    await expect(of('bare.edf')).rejects.toMatchObject({ code: 'E_DATA' });
    await expect(run({ peaks: 'annotated', sources: ['stdin'] })).rejects.toMatchObject({ code: 'E_USAGE' });
  });

  it('finds the beats of several beds without annotations', async () => {
    const source = `wfdb:${join(folder, 'r1')}`;
    const { result } = await run({ sources: [source, source] });
    const [one, two] = result.beds;
    expect([one?.bed, two?.bed]).toEqual(['r1', 'r1#2']);
    expect(one?.qrs).toMatchObject({ fp: 0, fn: 0, sensitivity: 1, positivePredictivity: 1 });
    expect(two?.classes).toEqual(one?.classes);
    expect(result.beats).toBe(2 * (one?.beats ?? 0));
    expect(result.heartRate?.mean).toBeCloseTo(75, -1);
    expect(result.latency.p99).toBeGreaterThan(0.3);
  });

  it('prints the fields of the contract, and writes events', async () => {
    const events = join(folder, 'events.ndjson');
    const words = [
      'stream',
      bundle.dir,
      '--source',
      `wfdb:${join(folder, 'r1')}`,
      '--speed',
      '0',
      '--seconds',
      '9',
    ];
    const { status, stdout } = await runHere([
      ...words,
      '--workers',
      '1',
      '--events',
      events,
      '--json',
      '--quiet',
    ]);
    expect(status).toBe(0);
    const found = JSON.parse(stdout);
    expect(found).toMatchObject({ seconds: 9, late: 0, qrs: { sensitivity: 1, positivePredictivity: 1 } });
    for (const field of ['beats', 'answered', 'lost', 'accuracy', 'balancedAccuracy'])
      expect(found[field]).toEqual(expect.any(Number));
    expect(Object.keys(found.heartRate)).toEqual(['mean', 'min', 'max']);
    expect(Object.keys(found.latency)).toEqual(['p50', 'p95', 'p99']);
    expect(found.remarks).toEqual([expect.stringMatching(/no class is called V/)]);
    const written = (await readFile(events, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(written.filter(({ kind }) => kind === 'beat').length).toBe(found.answered);
    const { stdout: lines } = await runHere([...words, '--workers', '1', '--events', '-', '--quiet']);
    const last = JSON.parse(lines.trim().split('\n').at(-1) ?? '');
    expect(last).toMatchObject({ kind: 'summary', beats: found.beats, answered: found.answered });
  });

  it('takes packets from standard input, and counts those that cannot be read', async () => {
    const { beats } = await run({});
    const good = lines((i) => ({ at: 100 + 0.1 * i }));
    const bad = [
      '{',
      '[]',
      '{"rate":-1}',
      '{"samples":["x"],"rate":360}',
      `{"x":"${'y'.repeat(2 ** 20)}"}`,
      '{"rate":360,"lead":"V9","samples":[1]}',
    ];
    const mixed = good.flatMap((line, i) =>
      i % 50 === 0 && bad[i / 50] ? [bad[i / 50] ?? '', line] : [line],
    );
    const {
      result,
      beats: again,
      events,
    } = await run({ sources: ['stdin'], input: input(mixed.join('\n')) });
    expect(again.map(({ at, label }) => [at.toFixed(6), label])).toEqual(
      beats.map(({ at, label }) => [at.toFixed(6), label]),
    );
    expect(result.beds[0]?.signal).toMatchObject({ malformed: bad.length, gaps: 0, late: 0 });
    expect(events.filter(({ kind }) => kind === 'signal')).toHaveLength(bad.length);
  });

  it('takes raw samples, as text and as bytes', async () => {
    const { beats } = await run({});
    const text = [...signal].join('\n');
    const f32 = Buffer.from(Float32Array.from(signal).buffer);
    const s16 = Buffer.from(Int16Array.from(signal, (value) => Math.round(4000 * value)).buffer);
    for (const [source, bytes] of [
      ['stdin:360', text],
      ['stdin:360:f32', f32],
      ['stdin:360:s16:4000', s16],
    ] as const) {
      const { beats: again, result } = await run({ sources: [source], input: input(bytes) });
      expect(again.map(({ label }) => label)).toEqual(beats.map(({ label }) => label));
      expect(result.beds[0]?.signal.malformed).toBe(0);
    }
  });

  it('takes several beds from one WebSocket, and ends with the summary when it is stopped', async () => {
    const control = new AbortController();
    let port = 0;
    const listening = {
      note: (text: string) => {
        port = Number(/ws:.*:(\d+)$/.exec(text)?.[1] ?? port);
      },
      progress: () => {},
    };
    const running = stream(
      bundle,
      { pool, measure: false, ventricular: ['2'], sources: ['ws:0'], signal: control.signal },
      listening,
    );
    while (port === 0) await new Promise((done) => setTimeout(done, 20));
    const socket = new WebSocket(`ws://127.0.0.1:${port}`);
    await new Promise((done) => socket.once('open', done));
    for (const [i, line] of lines().entries()) {
      socket.send([line, line].map((own, bed) => own.replace('{', `{"bed":"b${(i + bed) % 2}",`)).join('\n'));
    }
    socket.send(Buffer.from([1, 2, 3]));
    socket.close();
    await new Promise((done) => socket.once('close', done));
    const page = new WebSocket(`ws://127.0.0.1:${port}`, { origin: 'http://evil.test' });
    await new Promise((done) => page.once('error', done));
    control.abort();
    const { beds, finished } = await running;
    expect(finished).toBe(false);
    expect(beds.map(({ bed, seconds }) => [bed, Math.round(seconds)]).slice(1)).toEqual([
      ['b0', SECONDS],
      ['b1', SECONDS],
    ]);
    expect(beds[1]?.answered).toBeGreaterThan(30);
    expect(beds[0]?.signal.malformed).toBe(1);
  });

  it('has a gateway answer, with the same classes', async () => {
    const { beats } = await run({ seconds: 10 });
    const gateway = await serve([bundle], { port: 0, workers: 1, measure: false, dashboard: false });
    try {
      const { beats: again, result } = await run({ seconds: 10, gateway: gateway.url });
      expect(result.answered).toBe(beats.length);
      expect(again.map(({ label, levels }) => [label, levels])).toEqual(
        beats.map(({ label, levels }) => [label, levels]),
      );
      expect(again[0]?.devices.length).toBeGreaterThan(0);
    } finally {
      await gateway.close();
    }
    await expect(run({ gateway: gateway.url })).rejects.toMatchObject({ code: 'E_FABRIC' });
    const elsewhere = run({ gateway: 'http://gateway.example:8500' });
    await expect(elsewhere).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringMatching(/plain HTTP/),
    });
  });

  it.each([
    [['x:y'], 'E_USAGE'],
    [[], 'E_USAGE'],
    [['stdin', 'stdin:250'], 'E_USAGE'],
    [['stdin:250:s16'], 'E_USAGE'],
    [['ws:0.0.0.0:9000'], 'E_USAGE'],
    [['wfdb:/nowhere/r1'], 'E_FILE'],
    ...['a b', '', 'a..b', '.a', 'a.', '>.a', 'a>'].map((name): [string[], string] => [
      [`nats:${name}`],
      'E_USAGE',
    ]),
  ])('refuses the sources %j with %s', async (sources, code) => {
    await expect(run({ sources })).rejects.toMatchObject({ code });
  });

  it('survives bytes of any kind: packets are counted as malformed, and good ones behind them are taken', async () => {
    const random = new Random(9);
    const good = lines();
    const noise = Array.from({ length: 300 }, (_, i) => {
      const bytes = Buffer.from(good[i] ?? '');
      for (let n = 0; n < 1 + random.integer(4); n++)
        bytes[random.integer(bytes.length)] = random.integer(256);
      return bytes
        .subarray(0, random.integer(3) === 0 ? random.integer(bytes.length) : bytes.length)
        .toString('latin1')
        .replaceAll('\n', ' ');
    });
    const { result } = await run({ sources: ['stdin'], input: input([...noise, '', ...good].join('\n')) });
    const taken = result.beds.reduce((sum, bed) => sum + bed.seconds, 0);
    const malformed = result.beds.reduce((sum, bed) => sum + bed.signal.malformed, 0);
    // Packets that named another lead first may cost the nine after them.
    expect(taken).toBeGreaterThanOrEqual(SECONDS - 1);
    expect(malformed).toBeGreaterThan(50);
    expect(result.answered + result.late + result.lost).toBe(result.beats);
  });
});
