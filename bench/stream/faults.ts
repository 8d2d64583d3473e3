// Ten beds while a device is killed, comes back, and the network is throttled.
import type { StreamEvent } from '../../src/app/index.ts';
import type { Bundle } from '../../src/bundle/index.ts';
import type { ResultTable } from '../lib/results.ts';
import { COLUMNS, figures, replayed, wardFleet, wardPool } from './ward.ts';

/** Bytes a second of the throttled network. */
const THROTTLED = 100e3;

/** A run with faults, and what became of its beats by reason. */
export async function faultTables(
  bundle: Bundle,
  records: readonly string[],
  seconds: number,
): Promise<ResultTable[]> {
  await using pool = wardPool(bundle);
  const devices = new Map<string, number>();
  const timers: NodeJS.Timeout[] = [];
  const struck: string[] = [];
  const strike = (share: number, what: string, act: () => unknown): void => {
    timers.push(
      setTimeout(
        () => {
          struck.push(what);
          act();
        },
        1000 * seconds * share,
      ),
    );
  };
  const busiest = (): string =>
    [...devices].filter(([name]) => name !== 'monitor').sort(([, a], [, b]) => b - a)[0]?.[0] ??
    'workstation';
  let isStarted = false;
  const onEvent = (event: StreamEvent): void => {
    if (event.kind !== 'beat') return;
    for (const name of event.devices) devices.set(name, (devices.get(name) ?? 0) + 1);
    if (isStarted) return;
    isStarted = true;
    strike(0.25, 'the busiest device is killed, and back after 5 s', () => void pool.kill(busiest()));
    strike(
      0.5,
      `the network is throttled to ${THROTTLED / 1e3} kB/s`,
      () => void pool.setLinks(wardFleet(bundle, THROTTLED)),
    );
    strike(0.75, 'the network is whole again', () => void pool.setLinks(wardFleet(bundle)));
  };
  const result = await replayed(bundle, records, { pool, seconds, adapt: true, onEvent });
  for (const timer of timers) clearTimeout(timer);
  const { beats, answered, late, lost } = result;
  return [
    {
      title: 'Ten beds with faults',
      columns: ['beds', ...COLUMNS, 'unaccounted'],
      rows: [[records.length, ...figures(result), beats - answered - late - lost]],
      note: `${seconds} s; ${struck.join('; ')}.`,
    },
    {
      title: 'Beats without an answer, by reason',
      columns: ['reason', 'beats'],
      rows: Object.entries(result.reasons).map(([reason, count]) => [reason, count]),
    },
  ];
}
