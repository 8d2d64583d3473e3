// What the gateway adds to a call of the engine, beside an echo of the same bytes.
import type { Bundle } from '../../src/bundle/index.ts';
import { must } from '../../src/util/index.ts';
import { quantile } from '../lib/figures.ts';
import type { Tell } from '../lib/progress.ts';
import type { ResultTable } from '../lib/results.ts';
import type { BareOrder } from './bare.ts';
import { Helper, startGateway } from './processes.ts';
import { postBytes, type RawAnswer, RawClient } from './raw-client.ts';
import { binaryRequests, scoresOf } from './requests.ts';

const CLIENTS = [1, 8, 32];
/** Requests of a round, in all; the machine may be busy in some rounds, so the least of them counts too. */
const PER_ROUND = 1500;
const WARM = 3000;

interface Round {
  readonly engine: number[];
  readonly echo: number[];
  readonly server: number[];
  readonly gateway: number[];
}

/** Seconds of requests by so many clients, each on a connection of its own. */
async function timed(url: string, clients: number, requests: readonly Buffer[], count: number) {
  const open = await Promise.all(Array.from({ length: clients }, () => RawClient.open(url)));
  const seconds: number[] = [];
  let next = 0;
  const began = performance.now();
  await Promise.all(
    open.map(async (client) => {
      while (next < count) {
        const request = must(requests[next++ % requests.length], 'a request');
        const start = performance.now();
        const { status } = await client.send(request);
        seconds.push((performance.now() - start) / 1000);
        if (status !== 200) throw new Error(`an answer has status ${status}`);
      }
    }),
  );
  const perSecond = (1000 * count) / (performance.now() - began);
  for (const client of open) client.close();
  return { seconds, perSecond };
}

async function once(url: string, request: Buffer): Promise<RawAnswer> {
  const client = await RawClient.open(url);
  const answer = await client.send(request);
  client.close();
  return answer;
}

/** The tables of one bundle. @param rounds of each row */
export async function latencyTables(bundle: Bundle, rounds: number, tell: Tell): Promise<ResultTable[]> {
  const gateway = await startGateway(bundle.dir, ['--workers', '1']);
  const bare = new Helper('./bare.ts');
  try {
    const made = binaryRequests(bundle, 64);
    const requests = made.map(({ bytes }) => bytes);
    const first = must(made[0], 'a request');
    const answer = await once(gateway.url, first.bytes);
    const { levels } = scoresOf(answer.headers, answer.body);
    const order = (own: BareOrder): BareOrder => own;
    const { url: echoUrl } = await bare.ask<{ url: string }>(
      order({ do: 'open', bundle: bundle.dir, answer: answer.body.length, levels }),
    );
    const bodyOf = (bytes: Buffer): Buffer => bytes.subarray(bytes.indexOf('\r\n\r\n') + 4);
    const echoes = requests.map((bytes) => postBytes('/echo', bodyOf(bytes)));
    const length = first.bytes.toString('latin1').match(/inference-header-content-length: \d+/)?.[0] ?? '';
    const [name = '', value = ''] = length.split(': ');
    const served = requests.map((bytes) => postBytes('/engine', bodyOf(bytes), { [name]: value }));
    const engine = (calls: number): Promise<number[]> =>
      bare.ask(order({ do: 'engine', calls, levels, input: Array.from(first.sample) }));
    await timed(gateway.url, 8, requests, WARM);
    await timed(echoUrl, 8, echoes, WARM);
    await timed(echoUrl, 8, served, WARM);
    await engine(WARM);
    const rows: (string | number)[][] = [];
    const throughput: (string | number)[][] = [];
    for (const clients of CLIENTS) {
      const all: Round[] = [];
      const rates: { echo: number; server: number; gateway: number }[] = [];
      for (let round = 0; round < rounds; round++) {
        const echo = await timed(echoUrl, clients, echoes, PER_ROUND);
        const server = await timed(echoUrl, clients, served, PER_ROUND);
        const own = await timed(gateway.url, clients, requests, PER_ROUND);
        all.push({
          ...{ engine: await engine(PER_ROUND), echo: echo.seconds },
          ...{ server: server.seconds, gateway: own.seconds },
        });
        tell(CLIENTS.indexOf(clients) * rounds + round + 1, CLIENTS.length * rounds, 'rounds');
        rates.push({ echo: echo.perSecond, server: server.perSecond, gateway: own.perSecond });
      }
      rows.push(...latencyRows(clients, all));
      const best = (pick: 'echo' | 'server' | 'gateway'): number =>
        Math.max(...rates.map((rate) => rate[pick]));
      throughput.push([
        clients,
        best('echo').toFixed(0),
        best('server').toFixed(0),
        best('gateway').toFixed(0),
      ]);
    }
    const note = `Binary tensors, ${first.bytes.length} bytes there and ${answer.body.length} back; one worker in the process of the gateway. ${rounds} rounds of ${PER_ROUND} requests for each number of clients: an echo of as many bytes by fastify alone, a server of fastify and the engine with nothing between them, the gateway and the bare engine take turns. The clients are one process beside the server's.`;
    return [
      {
        title: 'Latency of a request, ms',
        columns: [
          ...['clients', 'of the rounds', 'engine p50', 'engine p99', 'echo p50', 'echo p99'],
          ...['engine behind fastify p50', 'p99', 'gateway p50', 'gateway p99'],
          ...['over the engine, p50', 'over the engine, p99', 'over the engine behind fastify, p50'],
        ],
        rows,
        note: `${note} Over the engine: the gateway's quantile less that of the bare call. Clients that share one processor wait for each other, so from 8 on the quantiles show the queue.`,
      },
      {
        title: 'Requests a second, best round',
        columns: ['clients', 'echo', 'engine behind fastify', 'gateway'],
        rows: throughput,
      },
    ];
  } finally {
    bare.close();
    await gateway.stop();
  }
}

function latencyRows(clients: number, rounds: readonly Round[]): (string | number)[][] {
  const ms = (seconds: number): string => (1000 * seconds).toFixed(3);
  const facts = rounds.map(({ engine, echo, server, gateway }) => ({
    engine: [quantile(engine, 0.5), quantile(engine, 0.99)],
    echo: [quantile(echo, 0.5), quantile(echo, 0.99)],
    server: [quantile(server, 0.5), quantile(server, 0.99)],
    gateway: [quantile(gateway, 0.5), quantile(gateway, 0.99)],
  }));
  const row = (name: string, pick: (values: number[]) => number): (string | number)[] => {
    const of = (what: 'engine' | 'echo' | 'server' | 'gateway', at: number): number =>
      pick(facts.map((fact) => fact[what][at] ?? Number.NaN));
    const over = [0, 1].map((at) => of('gateway', at) - of('engine', at));
    return [
      ...[clients, name],
      ...[of('engine', 0), of('engine', 1), of('echo', 0), of('echo', 1)].map(ms),
      ...[of('server', 0), of('server', 1)].map(ms),
      ...[of('gateway', 0), of('gateway', 1), over[0] ?? 0, over[1] ?? 0].map(ms),
      ms(of('gateway', 0) - of('server', 0)),
    ];
  };
  return [row('median', (values) => quantile(values, 0.5)), row('least', (values) => Math.min(...values))];
}
