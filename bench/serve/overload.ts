// Twice as many requests as the gateway can answer, for a while: what is answered, what is refused, and what grows.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bundle } from '../../src/bundle/index.ts';
import { must } from '../../src/util/index.ts';
import { quantile } from '../lib/figures.ts';
import type { Tell } from '../lib/progress.ts';
import type { ResultTable } from '../lib/results.ts';
import { type GatewayProcess, type Heap, type Held, heldBy, startGateway } from './processes.ts';
import { RawClient } from './raw-client.ts';
import { binaryRequests } from './requests.ts';

/** Clients that find out how much the gateway can answer, and for how long. */
const CLIENTS = 32;
const CAPACITY_SECONDS = 6;
const TIMES = 2;
/** Milliseconds between two looks at what is due, and most connections. */
const TICK = 5;
const MOST_CONNECTIONS = 800;

interface Load {
  sent: number;
  answered: number;
  busy: number;
  /** By status. */
  readonly other: Map<number, number>;
  /** Connections that ended before their answer. */
  lost: number;
  /** Due requests for which no connection was free. */
  unsent: number;
  readonly seconds: number[];
}

const MIB = 2 ** 20;
const mib = (bytes: number): string => (bytes / MIB).toFixed(1);

/** Requests a second that so many clients get answered. */
async function capacity(url: string, requests: readonly Buffer[]): Promise<number> {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => RawClient.open(url)));
  let done = 0;
  let until = 0;
  const run = async (seconds: number): Promise<number> => {
    done = 0;
    const start = performance.now();
    until = start + 1000 * seconds;
    await Promise.all(
      clients.map(async (client) => {
        while (performance.now() < until) {
          await client.send(must(requests[done++ % requests.length], 'a request'));
        }
      }),
    );
    return (1000 * done) / (performance.now() - start);
  };
  await run(CAPACITY_SECONDS / 2);
  const found = await run(CAPACITY_SECONDS);
  for (const client of clients) client.close();
  return found;
}

/** Sends at a rate, whether answers come or not; each connection has one request at a time. */
async function sendAt(
  url: string,
  requests: readonly Buffer[],
  perSecond: number,
  seconds: number,
): Promise<Load> {
  const load: Load = { sent: 0, answered: 0, busy: 0, other: new Map(), lost: 0, unsent: 0, seconds: [] };
  const free: RawClient[] = [];
  let open = 0;
  const running = new Set<Promise<void>>();
  const one = async (): Promise<void> => {
    let client = free.pop();
    if (!client) {
      if (open >= MOST_CONNECTIONS) {
        load.unsent++;
        return;
      }
      open++;
      client = await RawClient.open(url);
    }
    load.sent++;
    const start = performance.now();
    try {
      const { status } = await client.send(must(requests[load.sent % requests.length], 'a request'));
      if (status === 200) {
        load.answered++;
        load.seconds.push((performance.now() - start) / 1000);
      } else if (status === 503) load.busy++;
      else load.other.set(status, (load.other.get(status) ?? 0) + 1);
      free.push(client);
    } catch {
      load.lost++;
      open--;
    }
  };
  const start = performance.now();
  let due = 0;
  while (performance.now() - start < 1000 * seconds) {
    const now = Math.floor(((performance.now() - start) / 1000) * perSecond);
    for (; due < now; due++) {
      const run = one();
      running.add(run);
      void run.finally(() => running.delete(run));
    }
    await sleep(TICK);
  }
  await Promise.all(running);
  for (const client of free) client.close();
  return load;
}

/** The table of one bundle. @param seconds of load */
export async function overloadTables(bundle: Bundle, seconds: number, tell: Tell): Promise<ResultTable[]> {
  const gateway = await startGateway(bundle.dir, ['--workers', '1']);
  try {
    const requests = binaryRequests(bundle, 64).map(({ bytes }) => bytes);
    const perSecond = await capacity(gateway.url, requests);
    const before = heldBy(gateway.pid);
    const samples: Held[] = [];
    const heaps: Heap[] = [await gateway.heap()];
    const watch = setInterval(() => {
      samples.push(heldBy(gateway.pid));
      tell(samples.length, Math.ceil(seconds), 'seconds');
    }, 1000);
    const third = setInterval(
      () => void gateway.heap().then((heap) => heaps.push(heap)),
      (1000 * seconds) / 3 - 500,
    );
    const load = await sendAt(gateway.url, requests, TIMES * perSecond, seconds);
    clearInterval(watch);
    clearInterval(third);
    await sleep(3000);
    heaps.push(await gateway.heap());
    const after = heldBy(gateway.pid);
    return [loadTable(load, perSecond, seconds), heldTable(before, samples, after), heapTable(heaps)];
  } finally {
    await ended(gateway);
  }
}

async function ended(gateway: GatewayProcess): Promise<void> {
  const status = await gateway.stop();
  if (status !== 0) throw new Error(`the gateway ended with ${status}`);
}

function loadTable(load: Load, perSecond: number, seconds: number): ResultTable {
  const { sent, answered, busy, other, lost, unsent } = load;
  const ms = (share: number): string => (1000 * quantile(load.seconds, share)).toFixed(1);
  const left = sent - answered - busy - lost - [...other.values()].reduce((sum, count) => sum + count, 0);
  return {
    title: 'Twice the capacity',
    columns: ['requests', 'number'],
    rows: [
      ['sent', sent],
      ['answered', answered],
      ['refused with 503', busy],
      ...[...other].map(([status, count]): [string, number] => [`with ${status}`, count]),
      ['without an answer', left + lost],
      ['due, but not sent: the clients were too slow', unsent],
      ['answered a second', (answered / seconds).toFixed(0)],
      ['latency of those answered, p50 and p99, ms', `${ms(0.5)} and ${ms(0.99)}`],
    ],
    note: `${CLIENTS} clients that wait for each answer get ${perSecond.toFixed(0)} requests a second answered, the clients beside the gateway on the same processors. Then ${TIMES} times as many are sent for ${seconds} s, whether answers come or not; 16 run and 256 wait.`,
  };
}

/** What is left after a collection: what grows here is kept by somebody, and not only collected late. */
function heapTable(heaps: readonly Heap[]): ResultTable {
  const [before, ...later] = heaps;
  const after = later.pop();
  const names = ['before', ...later.map((_, i) => `after ${i + 1} of ${later.length} thirds`), '3 s later'];
  const all = [before, ...later, after].filter((heap) => heap !== undefined);
  return {
    title: 'What is left after a collection, MiB',
    columns: ['', ...names],
    rows: [
      ['heap', ...all.map(({ heapUsed }) => mib(heapUsed))],
      ['buffers outside of it', ...all.map(({ external }) => mib(external))],
    ],
    note: 'Collected by force at these times (`--expose-gc`). While it is loaded, the gateway holds the requests that run and wait, and up to 800 connections. Resident memory also counts what V8 has not collected yet, and pages that it keeps for later.',
  };
}

function heldTable(before: Held, samples: readonly Held[], after: Held): ResultTable {
  const third = Math.max(1, Math.floor(samples.length / 3));
  const row = (name: string, pick: (held: Held) => number, show: (value: number) => string) => [
    name,
    show(pick(before)),
    show(quantile(samples.slice(0, third).map(pick), 0.5)),
    show(quantile(samples.slice(-third).map(pick), 0.5)),
    show(Math.max(...samples.map(pick))),
    show(pick(after)),
  ];
  return {
    title: 'What the gateway holds meanwhile',
    columns: ['', 'before', 'first third', 'last third', 'most', 'after'],
    rows: [
      row('resident memory, MiB', ({ resident }) => resident, mib),
      row('descriptors', ({ descriptors }) => descriptors, String),
      row('threads', ({ threads }) => threads, String),
    ],
  };
}
