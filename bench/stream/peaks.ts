// The same beats classified around live detected and around annotated R peaks.
import { LocalPool, type StreamEvent, stream } from '../../src/app/index.ts';
import type { Bundle } from '../../src/bundle/index.ts';
import { BEAT_CLASSES, openRecording } from '../../src/data/internal.ts';
import { compareBeats } from '../../src/signal/index.ts';
import type { ResultTable } from '../lib/results.ts';

interface Labelled {
  readonly sample: number;
  readonly label: number;
}

/** One row for each class of beats that both runs have answered. */
export async function peakTables(
  bundle: Bundle,
  records: readonly string[],
  seconds: number,
): Promise<ResultTable[]> {
  await using pool = LocalPool.of(bundle, { workers: 1 });
  const counts = BEAT_CLASSES.map(() => ({ beats: 0, live: 0, annotated: 0, same: 0 }));
  for (const record of records) {
    const { beats = [], rate } = await openRecording(record);
    const live = await answers(bundle, pool, record, seconds, 'detected');
    const annotated = await answers(bundle, pool, record, seconds, 'annotated');
    const byPeak = new Map(annotated.map(({ sample, label }) => [sample, label]));
    const [reference, detected] = [beats, live].map((list) => list.map(({ sample }) => sample));
    const { pairs } = compareBeats({
      reference: reference ?? [],
      detected: detected ?? [],
      rate,
      learning: 0,
    });
    for (const [own, found] of pairs) {
      const beat = beats[own];
      const other = beat && byPeak.get(beat.sample);
      const truth = (BEAT_CLASSES as readonly string[]).indexOf(beat?.beatClass ?? '');
      const count = counts[truth];
      if (other === undefined || !count) continue;
      count.beats++;
      if (live[found]?.label === truth) count.live++;
      if (other === truth) count.annotated++;
      if (live[found]?.label === other) count.same++;
    }
    process.stderr.write(`${record}\n`);
  }
  const total = counts.reduce((sum, own) => ({
    ...{ beats: sum.beats + own.beats, live: sum.live + own.live },
    ...{ annotated: sum.annotated + own.annotated, same: sum.same + own.same },
  }));
  const share = (part: number, all: number): string => (all === 0 ? '-' : ((100 * part) / all).toFixed(2));
  const row = (name: string, own: typeof total) => [
    ...[
      name,
      own.beats,
      share(own.live, own.beats),
      share(own.annotated, own.beats),
      share(own.same, own.beats),
    ],
  ];
  return [
    {
      title: 'Classes from live detection and from annotated peaks, on the same beats',
      columns: ['class', 'beats', 'right, live %', 'right, annotated %', 'same class %'],
      rows: [...counts.map((own, i) => row(BEAT_CLASSES[i] ?? '', own)), row('all', total)],
      note: `The first ${seconds} s of ${records.length} records, which the network was trained on: what counts is the difference.`,
    },
  ];
}

async function answers(
  bundle: Bundle,
  pool: LocalPool,
  record: string,
  seconds: number,
  peaks: 'detected' | 'annotated',
): Promise<Labelled[]> {
  const found: Labelled[] = [];
  const onEvent = (event: StreamEvent): void => {
    if (event.kind === 'beat') found.push({ sample: event.sample, label: event.label });
  };
  await stream(bundle, {
    ...{ pool, measure: false, speed: 0, seconds, peaks, onEvent, sources: [`wfdb:${record}`], deadline: 10 },
    levels: bundle.manifest.groups.map(() => 0),
  });
  return found;
}
