// Ten thousand malformed requests: what they are answered with, and what the gateway holds meanwhile.
import type { Bundle } from '../../src/bundle/index.ts';
import { MALFORMED_KINDS, malformed, type Target } from '../../src/gateway/test-support/malformed.ts';
import { sendMalformed } from '../../src/gateway/test-support/send-malformed.ts';
import { must } from '../../src/util/index.ts';
import { Random } from '../../src/util/internal.ts';
import type { Tell } from '../lib/progress.ts';
import type { ResultTable } from '../lib/results.ts';
import { type GatewayProcess, type Heap, type Held, heldBy, startGateway } from './processes.ts';
import { RawClient } from './raw-client.ts';
import { binaryRequests } from './requests.ts';

/** Requests at a time, those that stall for ever, and the largest body. */
const TOGETHER = 16;
const STALLING = 20;
const BODY = 2 ** 20;
const STEP = 1000;

interface Counts {
  readonly byKind: Map<string, Map<string, number>>;
  readonly wrong: string[];
  /** At the start, and after so many requests; heaps after a collection. */
  readonly held: (Held & Heap)[];
}

/** The tables of one bundle. @param requests in all */
export async function malformedTables(bundle: Bundle, requests: number, tell: Tell): Promise<ResultTable[]> {
  const gateway = await startGateway(bundle.dir, ['--workers', '1', '--body-limit', String(BODY)]);
  try {
    const { name, model } = bundle.manifest;
    const target: Target = { name, input: model.input.name, shape: model.input.shape, bodyLimit: BODY };
    const counts: Counts = { byKind: new Map(), wrong: [], held: [await lookAt(gateway)] };
    const stalled = Promise.all(Array.from({ length: STALLING }, () => stall(gateway.url)));
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < requests) {
        const seed = next++;
        const kind = must(MALFORMED_KINDS[seed % MALFORMED_KINDS.length], 'a kind');
        const { status, wrong } = await sendMalformed(gateway.url, malformed(kind, target, new Random(seed)));
        const own = counts.byKind.get(kind) ?? new Map<string, number>();
        const end = status === undefined ? 'gave up' : String(status);
        counts.byKind.set(kind, own.set(end, (own.get(end) ?? 0) + 1));
        if (wrong !== undefined) counts.wrong.push(`${kind}, seed ${seed}: ${wrong}`);
        tell(seed + 1, requests, 'requests');
        if ((seed + 1) % STEP === 0) counts.held.push(await lookAt(gateway));
      }
    };
    await Promise.all(Array.from({ length: TOGETHER }, lane));
    const ends = await stalled;
    for (const end of ends)
      if (!end.startsWith('HTTP/1.1 408 ')) counts.wrong.push(`a stalled sender: ${end}`);
    const good = await answers(gateway.url, bundle);
    for (const line of counts.wrong.slice(0, 20)) process.stderr.write(`${line}\n`);
    if (counts.wrong.length > 0 || !good) process.exitCode = 1;
    return tablesOf(counts, requests, good);
  } finally {
    await gateway.stop();
  }
}

async function lookAt(gateway: GatewayProcess): Promise<Held & Heap> {
  const heap = await gateway.heap();
  return { ...heldBy(gateway.pid), ...heap };
}

/** A sender that stops in the middle; resolves with what it gets in the end. */
async function stall(url: string): Promise<string> {
  const { connect } = await import('node:net');
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(Number(port), hostname, () =>
      socket.write('POST /v2 HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{'),
    );
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

/** Whether a good request is answered after all that. */
async function answers(url: string, bundle: Bundle): Promise<boolean> {
  const client = await RawClient.open(url);
  const { status } = await client.send(must(binaryRequests(bundle, 1)[0], 'a request').bytes);
  client.close();
  return status === 200;
}

function tablesOf({ byKind, wrong, held }: Counts, requests: number, good: boolean): ResultTable[] {
  const ends = (own: ReadonlyMap<string, number>): string =>
    [...own].map(([status, count]) => `${count} x ${status}`).join(', ');
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
  return [
    {
      title: `${requests} malformed requests`,
      columns: ['kind', 'answers'],
      rows: [
        ...[...byKind].map(([kind, own]) => [kind, ends(own)]),
        ['senders that stall', `${STALLING} x 408`],
        ['wrong: no coded 4xx, or no answer in 20 s', wrong.length],
      ],
      note: `Status codes by kind; "gave up": the sender closed before its request was whole. A changed byte may leave a valid request: then 200 is right. ${good ? 'A good request is answered afterwards.' : 'A good request is NOT answered afterwards.'}`,
    },
    {
      title: 'What the gateway holds meanwhile, malformed requests',
      columns: ['after', 'resident memory, MiB', 'heap after a collection, MiB', 'descriptors'],
      rows: held.map(({ resident, heapUsed, descriptors }, i) => {
        return [i * STEP, mib(resident), mib(heapUsed), descriptors];
      }),
    },
  ];
}
