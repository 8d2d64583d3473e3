// Requests over HTTP while workers are killed and links are cut: each ends once at the client, and no answer is wrong.
import { setTimeout as sleep } from 'node:timers/promises';
import { SingleMachine } from '../../src/app/index.ts';
import type { Bundle } from '../../src/bundle/index.ts';
import { type FloatTensor, tensor } from '../../src/engine/index.ts';
import { serve } from '../../src/gateway/index.ts';
import { FaultyPool } from '../../src/gateway/test-support/faulty-pool.ts';
import { must } from '../../src/util/index.ts';
import { Random } from '../../src/util/internal.ts';
import type { Tell } from '../lib/progress.ts';
import type { ResultTable } from '../lib/results.ts';
import { RawClient } from './raw-client.ts';
import { binaryRequests, type MadeRequest, scoresOf } from './requests.ts';

const CLIENTS = 8;
const FAULT_EVERY = 12;
const REVIVE_SECONDS = 0.5;
/** Milliseconds of a client between two requests, so that plans change and devices come back meanwhile. */
const PAUSE = 20;
/** Seconds; the second for one request in ten. */
const DEADLINES = [5, 0.05];
const TOLERANCE = 1e-4;

interface Ends {
  readonly byStatus: Map<string, number>;
  readonly wrong: string[];
  readonly ended: number[];
  replanned: number;
  largest: number;
}

/** The tables of one bundle. @param requests in all */
export async function faultTables(bundle: Bundle, requests: number, tell: Tell): Promise<ResultTable[]> {
  const faulty = new FaultyPool(bundle, new Random(3), REVIVE_SECONDS);
  await using gateway = await serve([bundle], { port: 0, pool: () => faulty.pool, dashboard: false });
  const single = new SingleMachine(bundle);
  const made = DEADLINES.map((deadline) => binaryRequests(bundle, 64, { deadline }));
  const ends: Ends = {
    ...{ byStatus: new Map(), wrong: [], replanned: 0, largest: 0 },
    ended: Array.from({ length: requests }, () => 0),
  };
  const shape = [1, ...bundle.manifest.model.input.shape];
  let next = 0;
  const lane = async (): Promise<void> => {
    const client = await RawClient.open(gateway.url);
    while (next < requests) {
      const index = next++;
      if (index % FAULT_EVERY === 0) faulty.strike();
      const list = must(made[index % 10 === 9 ? 1 : 0], 'requests');
      await one(client, { index, ...must(list[index % list.length], 'a request') }, ends, single, shape);
      tell(index + 1, requests, 'requests');
      await sleep(PAUSE);
    }
    client.close();
  };
  await Promise.all(Array.from({ length: CLIENTS }, lane));
  await faulty.settled();
  await single.close();
  for (const line of ends.wrong) process.stderr.write(`${line}\n`);
  if (ends.wrong.length > 0 || ends.ended.some((times) => times !== 1)) process.exitCode = 1;
  return tablesOf(ends, requests, faulty);
}

async function one(
  client: RawClient,
  { index, bytes, sample }: MadeRequest & { readonly index: number },
  ends: Ends,
  single: SingleMachine,
  shape: readonly number[],
): Promise<void> {
  const { status, headers, body } = await client.send(bytes);
  ends.ended[index] = (ends.ended[index] ?? 0) + 1;
  const count = (name: string): void => void ends.byStatus.set(name, (ends.byStatus.get(name) ?? 0) + 1);
  if (status !== 200) {
    const { code } = JSON.parse(body.toString()) as { code: string };
    count(`${status}, ${code}`);
    if (status === 500 || code === 'E_INTERNAL') ends.wrong.push(`request ${index}: ${body}`);
    return;
  }
  count('200');
  const { scores, levels, replanned } = scoresOf(headers, body);
  if (replanned > 0) ends.replanned++;
  const expected = await single.run(levels, tensor(sample, shape) as FloatTensor);
  const off = expected.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - (scores[i] ?? Number.NaN))),
    0,
  );
  ends.largest = Math.max(ends.largest, off);
  if (!(off < TOLERANCE)) ends.wrong.push(`request ${index}: its scores are ${off} off`);
}

function tablesOf(ends: Ends, requests: number, { counts }: FaultyPool): ResultTable[] {
  const times = (test: (times: number) => boolean): number => ends.ended.filter(test).length;
  return [
    {
      title: `${requests} requests over HTTP while workers are killed and links are cut`,
      columns: ['how they ended at the client', 'requests'],
      rows: [
        ...[...ends.byStatus].sort().map(([status, count]): [string, number] => [`status ${status}`, count]),
        ['- of those answered, planned anew on the way', ends.replanned],
        ['with wrong scores, or without a code', ends.wrong.length],
        ['twice', times((n) => n > 1)],
        ['not at all', times((n) => n === 0)],
      ],
      note: `${CLIENTS} clients; three workers in processes of their own and a slow one in that of the gateway. ${counts.kill} times a worker is killed (SIGKILL) and started again ${REVIVE_SECONDS} s later, ${counts.cut} times cut off from the gateway for .2 s, ${counts.throttle} times all links are throttled for .3 s. Requests have ${DEADLINES[0]} s, one in ten ${DEADLINES[1]} s. Scores are at most ${ends.largest.toExponential(1)} from those of one machine.`,
    },
  ];
}
