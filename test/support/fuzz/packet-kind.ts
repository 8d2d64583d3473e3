// Damaged live signals, given to `stream` on standard input, over a WebSocket and over NATS: each ends with its summary, in
// which every beat is answered, late or lost.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { WebSocket } from 'ws';
import { LocalPool, type StreamOptions, type StreamResult, stream } from '../../../src/app/index.ts';
import type { Bundle } from '../../../src/bundle/index.ts';
import { loadModel } from '../../../src/onnx/index.ts';
import { canonicalGraph } from '../../../src/onnx/internal.ts';
import { hasNatsServer, OpenServer } from '../../../src/run/nats/test-support/nats-server.ts';
import { writtenBundle } from '../../../src/run/test-support/bundles.ts';
import type { Random } from '../../../src/util/internal.ts';
import { damagedBytes, damagedJson, pick } from './damage.ts';
import { keptCorpus } from './kept-corpus.ts';
import type { Act, Kind, Place } from './kinds.ts';

const NETWORK = fileURLToPath(new URL('../../../models/ecg-demo.onnx', import.meta.url));
const SUBJECT = 'fuzz.packets';
/** Whoever sends this is done: a bed that is refused for its missing rate, and told so. */
const LAST = '{"bed":"the last one","samples":[0]}';

/** What all cases of a run share. */
interface Shared {
  readonly bundle: Bundle;
  readonly pool: LocalPool;
  readonly nats: { readonly server: OpenServer; readonly connection: NatsConnection } | undefined;
}

let shared: Shared | undefined;

async function open(folder: string): Promise<void> {
  const bundle = await writtenBundle(join(folder, 'beats'), canonicalGraph(await loadModel(NETWORK)));
  const pool = await LocalPool.start(bundle, { workers: 1 });
  const server = hasNatsServer ? await OpenServer.start() : undefined;
  const nats = server && {
    server,
    connection: await connect({ servers: [...(server.access.servers ?? [])] }),
  };
  shared = { bundle, pool, nats };
}

async function close(): Promise<void> {
  await shared?.nats?.connection.close();
  await shared?.nats?.server[Symbol.asyncDispose]();
  await shared?.pool.close();
  shared = undefined;
}

/** Lines that no monitor sends. */
const STRANGE: readonly ((random: Random) => string)[] = [
  () => `{"samples":[${'1,'.repeat(2 ** 20)}1],"rate":180}`,
  () => `${'['.repeat(100_000)}`,
  () => `{"rate":180,"leads":{${Array.from({ length: 2000 }, (_, i) => `"l${i}":[1]`).join()}}}`,
  () => '{"rate":180,"lead":"__proto__","samples":[1,2],"bed":"__proto__"}',
  () => '{"rate":180,"leads":{"II":[1,2],"V1":[1]}}',
  (random) => `{"rate":180,"lead":"II","samples":[1,2],"at":${pick(random, [-1e11, 1e11, 1e12, 1e-300])}}`,
  (random) => `{"rate":${pick(random, [1e-9, 49, 1e6, 10_001, 0])},"samples":[1,2]}`,
  (random) => `{"rate":180,"bed":"b${random.integer(1000)}","samples":[null,1e300,-1e300]}`,
  () => '\u0000\ufffd\ud800',
];

/** Lines with some lost, doubled, in another's place, damaged, or of a kind that no monitor sends. */
function damagedLines(bytes: Uint8Array, random: Random): Uint8Array {
  const lines = new TextDecoder().decode(bytes).trimEnd().split('\n');
  for (let changes = 1 + random.integer(12); changes > 0; changes--) {
    const at = random.integer(lines.length);
    const line = lines[at] ?? '';
    switch (random.integer(6)) {
      case 0:
        lines.splice(at, 1 + random.integer(4));
        break;
      case 1:
        lines.splice(at, 0, line);
        break;
      case 2:
        lines.splice(random.integer(lines.length), 0, ...lines.splice(at, 1));
        break;
      case 3:
        lines.splice(at, 0, pick(random, STRANGE)(random));
        break;
      default:
        lines[at] = line.startsWith('{')
          ? text(damagedJson(parsed(line), random))
          : text(damagedBytes(Buffer.from(line), random));
    }
    if (lines.length === 0) break;
  }
  return Buffer.from(lines.join('\n'));
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).replaceAll('\n', ' ');

/** A line that was damaged before stays text. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return { samples: line };
  }
}

/** Bytes in pieces of any size, as a pipe gives them. */
function* pieces(bytes: Uint8Array, random: Random): Generator<Uint8Array> {
  for (let from = 0; from < bytes.length; ) {
    const to = from + 1 + random.integer(pick(random, [16, 1024, 65_536]));
    yield bytes.subarray(from, to);
    from = to;
  }
}

async function make({ own, random }: Place): Promise<Act> {
  const files = keptCorpus('packets');
  const name = pick(random, Object.keys(files));
  const isPackets = name.startsWith('packets-');
  const good = files[name] ?? new Uint8Array(0);
  const isLines = isPackets || name.endsWith('.txt');
  const bytes =
    isLines && random.integer(4) > 0
      ? damagedLines(good, random)
      : damagedBytes(Uint8Array.from(good), random);
  await writeFile(join(own, name), bytes);
  const how = isPackets
    ? pick(random, ['stdin', 'ws', ...(shared?.nats ? (['nats'] as const) : [])] as const)
    : 'stdin';
  const patience = pick(random, [undefined, 0, 5]);
  const call = async (): Promise<'told' | 'taken'> => {
    const { beds } = await streamed(name, bytes, how, { patience }, random);
    // The last packet of a sender is one of them.
    const malformed = beds.reduce((sum, { signal }) => sum + signal.malformed, how === 'stdin' ? 0 : -1);
    return malformed > 0 ? 'told' : 'taken';
  };
  return { call };
}

/** Streams the bytes of a file of the corpus, or damaged ones. @throws for beats that are neither answered, late nor lost */
export async function streamed(
  name: string,
  bytes: Uint8Array,
  how: 'stdin' | 'ws' | 'nats',
  options: Pick<StreamOptions, 'patience'>,
  random: Random,
): Promise<StreamResult> {
  if (!shared) throw new Error('the kind is not open');
  const { bundle, pool, nats } = shared;
  const given = { pool, measure: false, speed: 0, ventricular: ['2'], ...options };
  const run = (
    more: Pick<StreamOptions, 'sources'> & Partial<StreamOptions>,
    note?: (text: string) => void,
  ) => stream(bundle, { ...given, ...more }, note && { note, progress: () => {} });
  let result: StreamResult;
  if (how === 'stdin') {
    const raw = { txt: 'stdin:180', f32: 'stdin:180:f32', s16: 'stdin:180:s16:200' }[
      name.split('.').at(-1) ?? ''
    ];
    result = await run({ sources: [raw ?? 'stdin'], input: Readable.from(pieces(bytes, random)) });
  } else {
    const control = new AbortController();
    const onEvent: StreamOptions['onEvent'] = ({ bed }) => {
      if (bed === 'the last one') control.abort();
    };
    const sender =
      how === 'ws' ? overWebSocket : (_: string) => void overNats(nats?.connection, bytes, random);
    result = await run(
      {
        ...{ signal: control.signal, onEvent, sources: [how === 'ws' ? 'ws:0' : `nats:${SUBJECT}`] },
        ...(nats ? { sourceServer: { fabric: nats.server.access.servers?.[0] } } : {}),
      },
      (note) =>
        note.startsWith('packets are taken from') && sender(note.split(' ').at(-1) ?? '', bytes, random),
    );
  }
  if (result.beats !== result.answered + result.late + result.lost)
    throw new Error(
      `${result.beats} beats, but ${result.answered}, ${result.late} and ${result.lost} of them`,
    );
  return result;
}

/** Messages of one line or several; some frames are binary, some connections break in the midst of a frame. */
function overWebSocket(url: string, bytes: Uint8Array, random: Random): void {
  const messages = messagesOf(bytes, random);
  const breaks = random.integer(4) === 0 ? random.integer(messages.length) : messages.length;
  const socket = new WebSocket(url);
  socket.on('error', () => {});
  socket.on('open', async () => {
    for (const message of messages.slice(0, breaks))
      socket.send(random.integer(50) === 0 ? Buffer.from(message) : message);
    if (breaks < messages.length) {
      // A frame of 16 MB that does not come, or bytes that are no frame.
      const { _socket: raw } = socket as unknown as { readonly _socket: NodeJS.WritableStream };
      raw.write(
        pick(random, [Buffer.from([0x81, 0xff, 0, 0, 0, 0, 1, 0, 0, 0]), Buffer.from([0xff, 0xff, 0xff])]),
      );
    }
    const end = new WebSocket(url);
    end.on('open', () => end.send(LAST));
    end.on('error', () => {});
  });
}

async function overNats(
  connection: NatsConnection | undefined,
  bytes: Uint8Array,
  random: Random,
): Promise<void> {
  const most = connection?.info?.max_payload ?? 0;
  for (const message of messagesOf(bytes, random)) {
    const data = Buffer.from(message);
    if (data.length <= most) connection?.publish(SUBJECT, data);
  }
  connection?.publish(SUBJECT, LAST);
  await connection?.flush();
}

function messagesOf(bytes: Uint8Array, random: Random): string[] {
  const lines = new TextDecoder().decode(bytes).split('\n');
  const messages: string[] = [];
  for (let from = 0; from < lines.length; ) {
    const to = from + 1 + random.integer(3);
    messages.push(lines.slice(from, to).join('\n'));
    from = to;
  }
  return messages;
}

/** Live signals. */
export const PACKETS: Kind = { name: 'packets', share: 1, make, open, close };
