// How every request ends under faults, and whether memory stays where it is over many requests.
// Command: npm run bench:soak [-- --requests N | --faults N | --fabric nats]; the ECG network's bundle is packed first where
// there is none. Over NATS, which needs nats-server, only faults are measured.
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Bundle } from '../src/bundle/index.ts';
import { canonicalGraph } from '../src/onnx/internal.ts';
import { Coordinator, LocalWorkers } from '../src/run/index.ts';
import { NatsSoak } from '../src/run/nats/test-support/soak-nats.ts';
import { randomPlan, randomSample, writtenBundle } from '../src/run/test-support/bundles.ts';
import { mixedNet } from '../src/run/test-support/mixed-net.ts';
import { type SoakResult, soak } from '../src/run/test-support/soak.ts';
import { LocalSoak } from '../src/run/test-support/soak-local.ts';
import { median, must } from '../src/util/index.ts';
import { Random } from '../src/util/internal.ts';
import { sharedBundle } from './lib/bundles.ts';
import { type ResultTable, writeResults } from './lib/results.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '20000' },
    faults: { type: 'string', default: '1000' },
    fabric: { type: 'string', default: 'local' },
  },
});

/** Requests after which memory counts: by then sessions are made and code is compiled. */
const SETTLED = 1000;
const PLANS = 6;
const DEVICES = ['source', 'a', 'b'];

const say = (text: string): void => void process.stderr.write(`${text}\n`);

const isNats = values.fabric === 'nats';

async function underFaults(requests: number): Promise<SoakResult> {
  const dir = await mkdtemp(join(tmpdir(), 'bedside-soak-'));
  try {
    const bundle = await writtenBundle(dir, canonicalGraph(mixedNet()));
    return await soak(
      {
        ...{ requests, bundle },
        random: new Random(1),
        together: 8,
        faultEvery: 15,
        deadline: 10,
        onProgress: (done) => done % 100 === 0 && say(`under faults: ${done} of ${requests}`),
      },
      isNats ? NatsSoak.open : LocalSoak.open,
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Resident bytes of this process and of others, by name. */
function resident(pids: ReadonlyMap<string, number>): Map<string, number> {
  const all = [['asking process, with the source', process.pid] as const, ...pids];
  return new Map(
    all.map(([name, pid]) => [name, 1024 * Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)]))]),
  );
}

interface Memory {
  /** By process, in the order of time, a thousand requests apart; the first after the first thousand. */
  readonly bytes: ReadonlyMap<string, number[]>;
  readonly msPerRequest: number;
}

async function overMany(requests: number, bundle: Bundle): Promise<Memory> {
  const workers = DEVICES.map((name) => ({ device: { name } }));
  await using room = await LocalWorkers.start(workers, [bundle.dir], { device: 'source', bundles: [bundle] });
  const coordinator = new Coordinator('requester', bundle);
  await coordinator.join(room.fabric);
  const random = new Random(2);
  const variants = random.shuffle([...bundle.manifest.variants]).slice(0, PLANS);
  const plans = variants.map(({ levels }) => randomPlan(bundle, DEVICES, random, levels));
  const inputs = Array.from({ length: 32 }, () => randomSample(bundle, random));
  const bytes = new Map<string, number[]>();
  const seconds: number[] = [];
  for (let at = 1; at <= requests; at++) {
    const answer = await coordinator.infer(
      must(inputs[at % 32], 'an input'),
      must(plans[at % PLANS], 'a plan'),
    );
    if (at > SETTLED) seconds.push(answer.seconds);
    if (at % SETTLED > 0) continue;
    for (const [name, now] of resident(room.pids)) bytes.set(name, [...(bytes.get(name) ?? []), now]);
    if (at % 5000 === 0) say(`memory: ${at} of ${requests}`);
  }
  await coordinator.close();
  return { bytes, msPerRequest: 1000 * median(seconds) };
}

const MIB = 2 ** 20;
const mib = (value: number): string => `${(value / MIB).toFixed(1)} MiB`;

/** Bytes by which memory grows in a thousand requests: the slope between the medians of the first and last thirds. */
function growth(values: readonly number[]): number {
  const third = Math.max(1, Math.floor(values.length / 3));
  return (median(values.slice(-third)) - median(values.slice(0, third))) / Math.max(1, values.length - third);
}

/** What happened, in words. */
const FAULTS: Readonly<Record<string, string>> = {
  before: 'a worker killed (SIGKILL) before the request',
  during: 'a worker killed while it may compute',
  between: 'a worker killed when its part has come',
  hang: 'a worker that hangs (SIGSTOP) for 2.2 s and goes on',
  stopped: 'a worker that hangs (SIGSTOP) for 2.2 s and goes on',
  cut: 'links of a worker to three others cut for .2 s',
  shortCut: 'a worker’s cable to the server cut for .5 s',
  longCut: 'a worker’s cable to the server cut for 4 s',
  server: 'the server killed (SIGKILL), and started again after .5 s',
  dropped: 'messages lost to that',
  repeated: 'tensors sent twice',
  replayed: 'tensors sent again long after',
};

function faultTables(result: SoakResult, requests: number): ResultTable[] {
  const {
    answered,
    moved,
    failed,
    failedHurried,
    wrong,
    twice,
    unended,
    maxDifference,
    after,
    late,
    faults,
  } = result;
  return [
    {
      title: `${requests} requests under faults`,
      columns: ['how they ended', 'requests'],
      rows: [
        ['with a result', answered],
        ['- of these, planned anew on the way', moved],
        ...Object.entries(failed).map(([code, count]): [string, number] => [`with ${code}`, count]),
        ['- of these, with a tenth of the time', failedHurried],
        ['with other logits, or an error without a code', wrong.length],
        ['twice', twice],
        ['not at all', unended],
        ['after their deadline', after],
      ],
      note: `Logits are at most ${maxDifference.toExponential(1)} from those of one machine.${after > 0 ? ` The latest end came ${(1000 * late).toFixed(1)} ms after its deadline: the asking process opens sessions too, and stands still meanwhile.` : ''}`,
    },
    {
      title: 'The faults',
      columns: ['fault', 'times'],
      rows: Object.entries(faults).map(([fault, times]): [string, number] => [FAULTS[fault] ?? fault, times]),
      note: 'One of the six workers at a time is ten times slower than the others, and one request in ten has a tenth of the time.',
    },
  ];
}

function memoryTable({ bytes, msPerRequest }: Memory, requests: number): ResultTable {
  return {
    title: `Resident memory over ${requests} requests, ECG network`,
    columns: ['process', `after ${SETTLED}`, 'median', 'most', 'last', 'growth per 1000'],
    rows: [...bytes].map(([name, values]) => [
      name,
      mib(values[0] ?? 0),
      mib(median(values)),
      mib(Math.max(...values)),
      mib(values.at(-1) ?? 0),
      mib(growth(values)),
    ]),
    note: `${PLANS} plans at the levels of measured variants in turn, stages split at random over three workers; ${msPerRequest.toFixed(2)} ms a request in the median.`,
  };
}

const requests = Number(values.requests);
const faults = Number(values.faults);
const result = await underFaults(faults);
const memory = isNats ? undefined : await overMany(requests, await sharedBundle('ecg-resnet1d'));
const WORKERS = isNats
  ? 'over a NATS server with the generated configuration, each in a process of its own, while workers are killed, hang and are started again under their names, the server is killed and started again, cables are cut, and tensors come again, sent by somebody who listens to all'
  : 'of the embedded fabric, three in the process that asks and three in processes of their own, while workers are killed, hang and are started again, links are cut, and messages come again';
const text = await writeResults(isNats ? 'soak-nats' : 'soak', {
  title: isNats ? 'Promises under faults, over NATS' : 'Promises under faults, and memory',
  command: `npm run bench:soak -- ${isNats ? '--fabric nats' : `--requests ${requests}`} --faults ${faults}`,
  about: `Requests on workers ${WORKERS}. A network with every kind of stage, random plans.`,
  tables: [...faultTables(result, faults), ...(memory ? [memoryTable(memory, requests)] : [])],
});
process.stdout.write(text);
if (result.wrong.length + result.twice + result.unended > 0) {
  say(result.wrong.join('\n'));
  process.exitCode = 1;
}
