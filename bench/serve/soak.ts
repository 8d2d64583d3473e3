// A mix of requests for minutes: what the gateway holds, and how late its event loop is.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bundle } from '../../src/bundle/index.ts';
import { verifyAudit } from '../../src/gateway/index.ts';
import { MALFORMED_KINDS, malformed, type Target } from '../../src/gateway/test-support/malformed.ts';
import { sendMalformed } from '../../src/gateway/test-support/send-malformed.ts';
import { must } from '../../src/util/index.ts';
import { Random } from '../../src/util/internal.ts';
import { quantile } from '../lib/figures.ts';
import type { Tell } from '../lib/progress.ts';
import type { ResultTable } from '../lib/results.ts';
import { type Held, heldBy, startGateway } from './processes.ts';
import { postBytes, RawClient } from './raw-client.ts';
import { binaryRequests } from './requests.ts';

/** Requests a second of each of the clients, and how many of them. */
const CLIENTS = 6;
const PER_SECOND = 10;
const BODY = 2 ** 20;
/** Seconds between two looks, and those that do not count: sessions are made and code is compiled. */
const LOOK = 5;
const SETTLE = 30;

interface Look extends Held {
  /** Bytes in use of V8's heap, and milliseconds that the event loop was late, p99 of the time since the last look. */
  readonly heap: number;
  readonly late: number;
}

interface Mix {
  readonly counts: Map<string, number>;
  readonly wrong: string[];
}

/** The tables of one bundle. */
export async function soakTables(bundle: Bundle, seconds: number, tell: Tell): Promise<ResultTable[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-soak-'));
  const words = ['--workers', '2', '--body-limit', String(BODY), '--audit', folder];
  const gateway = await startGateway(bundle.dir, words);
  const mix: Mix = { counts: new Map(), wrong: [] };
  const looks: Look[] = [];
  try {
    const until = performance.now() + 1000 * seconds;
    const clients = Array.from({ length: CLIENTS }, (_, at) => client(gateway.url, bundle, at, until, mix));
    await sleep(1000 * Math.min(SETTLE, seconds / 4));
    while (performance.now() < until) {
      looks.push(await look(gateway.url, gateway.pid));
      tell(Math.round(seconds - (until - performance.now()) / 1000), seconds, 'seconds');
      await sleep(1000 * LOOK);
    }
    await Promise.all(clients);
    const status = await gateway.stop();
    if (status !== 0) mix.wrong.push(`the gateway ended with ${status}`);
    const { ok, entries } = await verifyAudit(folder);
    if (!ok) mix.wrong.push('the audit log does not verify');
    for (const line of mix.wrong.slice(0, 20)) process.stderr.write(`${line}\n`);
    if (mix.wrong.length > 0) process.exitCode = 1;
    return tablesOf(mix, looks, seconds, entries);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Sends what comes next in its own order, at its own pace. */
async function client(url: string, bundle: Bundle, at: number, until: number, mix: Mix): Promise<void> {
  const random = new Random(100 + at);
  const { name, model } = bundle.manifest;
  const target: Target = { name, input: model.input.name, shape: model.input.shape, bodyLimit: BODY };
  const binary = binaryRequests(bundle, 16);
  const path = `/v2/models/${encodeURIComponent(name)}`;
  const json = (sample: Float32Array, parameters: object): Buffer =>
    Buffer.from(
      JSON.stringify({
        parameters,
        inputs: [
          { name: target.input, shape: [1, ...target.shape], datatype: 'FP32', data: Array.from(sample) },
        ],
      }),
    );
  let open = await RawClient.open(url);
  const send = async (what: string, bytes: Buffer, expected = 200): Promise<void> => {
    mix.counts.set(what, (mix.counts.get(what) ?? 0) + 1);
    const { status, body } = await open.send(bytes);
    if (status !== expected) mix.wrong.push(`${what}: ${status} ${body.toString().slice(0, 200)}`);
  };
  while (performance.now() < until) {
    const { bytes, sample } = must(binary[random.integer(binary.length)], 'a request');
    const kind = random.integer(20);
    if (kind < 12) await send('binary tensors', bytes);
    else if (kind < 15) await send('JSON', postBytes(`${path}/infer`, json(sample, {})));
    else if (kind === 15) await send('unpruned', postBytes(`${path}/infer`, json(sample, { variant: 0 })));
    else if (kind === 16) await send('explained', postBytes(`${path}/explain`, json(sample, {})));
    else if (kind === 17) await send('plan', Buffer.from(`GET ${path}/plan HTTP/1.1\r\nhost: a\r\n\r\n`));
    else if (kind === 18) {
      mix.counts.set('malformed', (mix.counts.get('malformed') ?? 0) + 1);
      const spoilt = must(MALFORMED_KINDS[random.integer(MALFORMED_KINDS.length)], 'a kind');
      const { wrong } = await sendMalformed(url, malformed(spoilt, target, random));
      if (wrong !== undefined) mix.wrong.push(`${spoilt}: ${wrong}`);
    } else {
      // Hangs up while its request runs.
      mix.counts.set('hung up', (mix.counts.get('hung up') ?? 0) + 1);
      const gone = open.send(bytes).catch(() => {});
      open.close();
      await gone;
      open = await RawClient.open(url);
    }
    await sleep((1000 / PER_SECOND) * 2 * random.uniform());
  }
  open.close();
}

async function look(url: string, pid: number): Promise<Look> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const value = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  return {
    ...heldBy(pid),
    heap: value('nodejs_heap_size_used_bytes'),
    late: 1000 * value('nodejs_eventloop_lag_p99_seconds'),
  };
}

function tablesOf(mix: Mix, looks: readonly Look[], seconds: number, entries: number): ResultTable[] {
  const third = Math.max(1, Math.floor(looks.length / 3));
  const row = (name: string, pick: (own: Look) => number, digits: number): (string | number)[] => {
    const all = looks.map(pick);
    const first = quantile(all.slice(0, third), 0.5);
    const last = quantile(all.slice(-third), 0.5);
    return [name, ...[first, last, Math.max(...all), last - first].map((value) => value.toFixed(digits))];
  };
  const sent = [...mix.counts.values()].reduce((sum, count) => sum + count, 0);
  return [
    {
      title: `A soak of ${(seconds / 60).toFixed(1)} minutes`,
      columns: ['the process of the gateway', 'first third', 'last third', 'most', 'difference'],
      rows: [
        row('resident memory, MiB', ({ resident }) => resident / 2 ** 20, 1),
        row('heap in use, MiB', ({ heap }) => heap / 2 ** 20, 1),
        row('descriptors', ({ descriptors }) => descriptors, 0),
        row('threads', ({ threads }) => threads, 0),
        row('event loop late, p99, ms', ({ late }) => late, 1),
      ],
      note: `${sent} requests by ${CLIENTS} clients: ${[...mix.counts].map(([what, count]) => `${count} ${what}`).join(', ')}. Wrong answers: ${mix.wrong.length}. Medians of looks every ${LOOK} s. Two workers, one of them in this process; audit log of ${entries} lines, which verifies.`,
    },
  ];
}
