// Four emulated devices, and one run of beds on them.
import { LocalPool, type StreamOptions, type StreamResult, stream } from '../../src/app/index.ts';
import type { Bundle } from '../../src/bundle/index.ts';
import { type Fleet, fleetOf } from '../../src/plan/index.ts';

/** The monitor has the signal; the others are faster. */
const SPEEDS = { monitor: 0.1, gateway: 0.5, tablet: 0.5, workstation: 1 } as const;
export const DEADLINE = 0.25;

/** The devices on a shared network of so many bytes a second. */
export function wardFleet(bundle: Bundle, bytesPerSecond = 5e6): Fleet {
  const [unpruned] = bundle.manifest.variants;
  const macsPerSecond = unpruned?.seconds ? unpruned.macs / unpruned.seconds : 1e9;
  return fleetOf({
    format: 'bedside-fleet',
    version: 1,
    name: 'four beside the bed',
    source: 'monitor',
    devices: Object.entries(SPEEDS).map(([name, speed]) => ({
      ...{
        name,
        speed,
        macsPerSecond: macsPerSecond * speed,
        memory: 2 ** 30,
        joulesPerMac: 0,
        trusted: true,
      },
    })),
    network: { channel: 'shared', latency: 0.002, bytesPerSecond },
  });
}

/** A pool of the devices; one whose process ended is started again after 5 s. */
export function wardPool(bundle: Bundle): LocalPool {
  return LocalPool.of(bundle, { fleet: wardFleet(bundle), reviveAfter: 5 });
}

/** Replays records at once, one a bed. */
export async function replayed(
  bundle: Bundle,
  records: readonly string[],
  options: Omit<StreamOptions, 'sources'>,
): Promise<StreamResult> {
  return await stream(
    bundle,
    { deadline: DEADLINE, measure: false, ...options, sources: records.map((record) => `wfdb:${record}`) },
    { note: (text) => process.stderr.write(`  ${text}\n`), progress: () => {} },
  );
}

const ms = (seconds: number): string => (Number.isNaN(seconds) ? '-' : (1000 * seconds).toFixed(0));
const percent = (share: number | undefined): string =>
  share === undefined || Number.isNaN(share) ? '-' : (100 * share).toFixed(2);

export const COLUMNS = [
  ...[
    'beats found',
    'sensitivity %',
    'pos. predictivity %',
    'answered in time',
    'late',
    'lost',
    'wrong class %',
  ],
  ...['p50 ms', 'p95 ms', 'p99 ms'],
] as const;

/** The figures of a run, in the order of the columns. */
export function figures({
  beats,
  answered,
  late,
  lost,
  qrs,
  accuracy,
  latency,
}: StreamResult): (string | number)[] {
  return [
    ...[beats, percent(qrs?.sensitivity), percent(qrs?.positivePredictivity), answered, late, lost],
    ...[
      accuracy === undefined ? '-' : percent(1 - accuracy),
      ms(latency.p50),
      ms(latency.p95),
      ms(latency.p99),
    ],
  ];
}
