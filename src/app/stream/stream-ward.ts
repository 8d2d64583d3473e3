// All signals of a stream together: sources run side by side, packets go to their beds, and figures are summed.
import { setMaxListeners } from 'node:events';
import type { Classifier } from '../../evaluate/internal.ts';
import { BedsideError } from '../../util/index.ts';
import type { Journal, Progress } from '../reporter.ts';
import type { Answerer } from './answerer.ts';
import type { BeatInput } from './beat-cutter.ts';
import { BedSession, type SessionParts, unreadable } from './bed-session.ts';
import type { BedResult, StreamEvent, StreamFigures } from './events.ts';
import { Latencies } from './latencies.ts';
import type { StreamOptions } from './options.ts';
import { type Counted, Reference, referenceFigures } from './reference.ts';
import type { SourceSink, StreamSource } from './sources/source.ts';

/** What a ward needs. */
export interface WardParts {
  readonly answerer: Answerer;
  readonly classifier: Classifier;
  readonly classNames: readonly string[];
  readonly input: BeatInput;
  readonly options: StreamOptions;
  readonly onEvent: (event: StreamEvent) => void;
}

/** Beats that wait for answers; more are lost, and said to be. */
const MOST_WAITING = 4096;
/** Sources that can wait do so above this. */
const ENOUGH_WAITING = 32;
/** Beds of one source. */
const MOST_BEDS = 256;

/** The signals of a stream. */
export class StreamWard {
  readonly #parts: WardParts;
  readonly #journal: Journal;
  readonly #session: SessionParts;
  readonly #sessions = new Map<string, BedSession>();
  #wakeUp: (() => void)[] = [];
  #beats = 0;

  constructor(parts: WardParts, journal: Journal) {
    const { options } = parts;
    this.#parts = parts;
    this.#journal = journal;
    this.#session = {
      ...{
        answerer: parts.answerer,
        classifier: parts.classifier,
        classNames: parts.classNames,
        rules: rulesOf(options),
      },
      bed: {
        ...{ input: parts.input, lead: options.lead, patience: options.patience },
        ...{ flat: options.flat, saturation: options.saturation },
      },
      onEvent: (event) => this.#told(event),
      load: { waiting: 0, most: MOST_WAITING },
      now: () => performance.now(),
    };
  }

  /** Runs all sources to their end; tells whether none was aborted. @throws BedsideError of a source that fails */
  async run(sources: readonly StreamSource[], signal: AbortSignal): Promise<boolean> {
    const { seconds } = this.#parts.options;
    const control = new AbortController();
    const isLive = sources.some(({ recording }) => !recording);
    const limit = seconds !== undefined && isLive ? AbortSignal.timeout(1000 * seconds) : undefined;
    const all = AbortSignal.any([signal, control.signal, ...(limit ? [limit] : [])]);
    // Each replay waits on it between packets.
    setMaxListeners(0, all);
    await this.#journal.during('beats', async (progress) => {
      await Promise.all(
        sources.map(async (source) => {
          try {
            await source.run(this.#sinkOf(source, progress), all);
          } catch (error) {
            control.abort();
            throw error;
          }
        }),
      );
      await Promise.all([...this.#sessions.values()].map((session) => session.end()));
    });
    const { lost } = this.#parts.answerer;
    if (lost.length > 0) this.#journal.remark(`devices that are lost at the end: ${lost.join(', ')}`);
    return !signal.aborted;
  }

  /** Of each signal. */
  beds(): readonly BedResult[] {
    return [...this.#sessions.values()].map((session) => session.result());
  }

  /** Of all signals together. */
  figures(): StreamFigures {
    const beds = this.beds();
    const sessions = [...this.#sessions.values()];
    const sum = (of: 'beats' | 'answered' | 'late' | 'lost'): number =>
      beds.reduce((total, bed) => total + bed[of], 0);
    const latencies = new Latencies();
    for (const session of sessions) latencies.merge(session.latencies);
    const counted = sessions
      .map((session) => session.counted())
      .filter((own): own is Counted => own !== undefined);
    return {
      seconds: beds.reduce((most, bed) => Math.max(most, bed.seconds), 0),
      ...{ beats: sum('beats'), answered: sum('answered'), late: sum('late'), lost: sum('lost') },
      reasons: summed(beds.map(({ reasons }) => reasons)),
      classes: summed([
        Object.fromEntries(this.#parts.classNames.map((name) => [name, 0])),
        ...beds.map(({ classes }) => classes),
      ]),
      heartRate: heartRateOf(beds),
      latency: latencies.summary(),
      ...referenceFigures(counted),
    };
  }

  #told(event: StreamEvent): void {
    if (event.kind === 'beat' || event.kind === 'unanswered') {
      this.#beats++;
      const waiting = this.#wakeUp;
      this.#wakeUp = [];
      for (const wake of waiting) wake();
    }
    this.#parts.onEvent(event);
  }

  #sinkOf(source: StreamSource, progress: Progress): SourceSink {
    const names = new Map<string, string>();
    const sessionOf = (bed: string): BedSession => {
      const name = names.get(bed) ?? this.#newName(bed);
      if (!names.has(bed) && names.size >= MOST_BEDS) {
        throw new BedsideError('E_DATA', `${source.spec} has more than ${MOST_BEDS} beds`, {
          hint: 'divide them among several sources or processes',
        });
      }
      const known = this.#sessions.get(name) ?? this.#newSession(name, source);
      names.set(bed, name);
      this.#sessions.set(name, known);
      return known;
    };
    const unread = (bed: string, error: unknown): void => {
      // A bed exists from its first packet that can be read; until then the source's own one counts.
      const text = unreadable(error);
      try {
        sessionOf(bed).malformed(text);
      } catch {
        sessionOf(source.bed).malformed(text);
      }
    };
    // A replay's bed is there from the start, whatever comes.
    sessionOf(source.bed);
    return {
      packet: (bed = source.bed, packet, arrived = performance.now()) => {
        progress.update(this.#beats, Math.max(this.#beats, 1));
        try {
          sessionOf(bed).push(packet, arrived);
        } catch (error) {
          unread(bed, error);
        }
      },
      malformed: (error) => unread(source.bed, error),
      note: (text) => this.#journal.note(text),
      room: async () => {
        while (this.#session.load.waiting >= ENOUGH_WAITING)
          await new Promise<void>((wake) => this.#wakeUp.push(wake));
      },
    };
  }

  #newName(bed: string): string {
    let name = bed;
    for (let i = 2; this.#sessions.has(name); i++) name = `${bed}#${i}`;
    return name;
  }

  #newSession(bed: string, { spec, recording }: StreamSource): BedSession {
    const { classifier, options } = this.#parts;
    const reference = recording?.beats ? new Reference(recording, classifier) : undefined;
    for (const remark of reference?.remarks ?? []) this.#journal.remark(remark);
    const peaks = options.peaks === 'annotated' ? recording?.beats?.map(({ sample }) => sample) : undefined;
    return new BedSession(this.#session, { bed, source: spec, reference }, peaks);
  }
}

function rulesOf({ ventricular, pause, run, runRate, rateOver }: StreamOptions) {
  return { ventricular, pause, run, runRate, rateOver };
}

function summed(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const all = new Map<string, number>();
  for (const own of counts)
    for (const [name, count] of Object.entries(own)) all.set(name, (all.get(name) ?? 0) + count);
  return Object.fromEntries(all);
}

/** The mean over signals, each counting by its beats; the lowest and the highest of any. */
function heartRateOf(beds: readonly BedResult[]): StreamFigures['heartRate'] {
  const known = beds.filter(({ heartRate }) => heartRate !== undefined);
  if (known.length === 0) return undefined;
  const beats = known.reduce((sum, bed) => sum + bed.beats, 0);
  const minutes = known.reduce((sum, bed) => sum + bed.beats / (bed.heartRate?.mean ?? 1), 0);
  return {
    mean: beats / minutes,
    min: Math.min(...known.map(({ heartRate }) => heartRate?.min ?? Number.POSITIVE_INFINITY)),
    max: Math.max(...known.map(({ heartRate }) => heartRate?.max ?? 0)),
  };
}
