// One signal with its answers: each beat is a request, answers are told in the order of beats, and everything is counted.
import type { Classifier } from '../../evaluate/internal.ts';
import { type RhythmRules, RhythmWatch, type SignalPacket } from '../../signal/index.ts';
import { BedsideError, messageOf } from '../../util/index.ts';
import { argmax } from '../../util/internal.ts';
import { readAnswer } from '../explain/answers.ts';
import type { Answerer, Scored } from './answerer.ts';
import { Bed, type BedOptions, type FoundBeat } from './bed.ts';
import type { BedResult, StreamEvent } from './events.ts';
import { Latencies } from './latencies.ts';
import { type Counted, type Reference, referenceFigures } from './reference.ts';

/** What sessions share. */
export interface SessionParts {
  readonly answerer: Answerer;
  readonly classifier: Classifier;
  readonly classNames: readonly string[];
  readonly rules: RhythmRules;
  readonly bed: BedOptions;
  readonly onEvent: (event: StreamEvent) => void;
  /** Requests that have no answer yet, of all sessions. */
  readonly load: { waiting: number; readonly most: number };
  /** Time of a clock that all packets are stamped by, in milliseconds. */
  readonly now: () => number;
}

/** Where a session's signal comes from. */
export interface SessionSource {
  readonly bed: string;
  readonly source: string;
  readonly reference?: Reference | undefined;
}

type Outcome =
  | { readonly kind: 'answered'; readonly scored: Scored; readonly latency: number; readonly seconds: number }
  | { readonly kind: 'late' | 'lost'; readonly reason: string };

/** One signal and its answers. */
export class BedSession {
  readonly #parts: SessionParts;
  readonly #source: SessionSource;
  readonly #bed: Bed;
  readonly #rhythm: RhythmWatch;
  readonly latencies = new Latencies();
  readonly #classes = new Map<string, number>();
  readonly #reasons = new Map<string, number>();
  readonly #counts = { beats: 0, answered: 0, late: 0, lost: 0 };
  #order: Promise<void> = Promise.resolve();
  #arrived = 0;
  #hasPacket = false;

  constructor(parts: SessionParts, source: SessionSource, peaks?: readonly number[]) {
    this.#parts = parts;
    this.#source = source;
    this.#rhythm = new RhythmWatch(parts.rules, parts.classNames);
    this.#bed = new Bed(
      { ...parts.bed, peaks },
      {
        beat: (beat) => this.#found(beat),
        signal: (event) => parts.onEvent({ kind: 'signal', bed: source.bed, ...event }),
      },
    );
  }

  /** Whether a packet was taken. */
  get hasSignal(): boolean {
    return this.#hasPacket;
  }

  /** Takes a packet. @param arrived when its last sample was there, by the clock of the parts; throws as `Bed.push` */
  push(packet: SignalPacket, arrived: number): void {
    this.#arrived = arrived;
    this.#bed.push(packet);
    this.#hasPacket = true;
  }

  /** A packet could not be read. */
  malformed(text: string): void {
    this.#bed.malformed(text);
  }

  /** The signal has ended; resolves when all its beats have an answer, or none. */
  async end(): Promise<void> {
    this.#arrived = this.#parts.now();
    this.#bed.end();
    await this.#order;
  }

  #found(beat: FoundBeat): void {
    this.#counts.beats++;
    const outcome = this.#ask(beat, this.#arrived);
    const told = this.#order.then(async () => this.#tell(beat, await outcome));
    // What fails is thrown by `end`, and until then it is nobody's.
    outcome.catch(() => {});
    told.catch(() => {});
    this.#order = told;
  }

  async #ask({ input, reason, waited }: FoundBeat, arrived: number): Promise<Outcome> {
    const { load, answerer, now } = this.#parts;
    if (!input) return { kind: 'lost', reason: reason ?? 'it has no window' };
    if (load.waiting >= load.most)
      return { kind: 'lost', reason: `${load.most} beats wait for answers already` };
    load.waiting++;
    const start = now();
    try {
      const scored = await answerer.answer(input);
      const end = now();
      // A packet may have been taken later than it came.
      return {
        kind: 'answered',
        scored,
        latency: waited + (end - arrived) / 1000,
        seconds: (end - start) / 1000,
      };
    } catch (error) {
      if (!BedsideError.is(error) || error.code === 'E_INTERNAL') throw error;
      return error.code === 'E_DEADLINE'
        ? { kind: 'late', reason: 'no answer by the deadline' }
        : { kind: 'lost', reason: `${error.code}: ${error.message}` };
    } finally {
      load.waiting--;
    }
  }

  #tell({ at, sample, isApart, lead, rate }: FoundBeat, outcome: Outcome): void {
    const { bed, reference } = this.#source;
    const where = { bed, at, sample, lead, rate, afterBreak: isApart };
    if (isApart) this.#rhythm.interrupt();
    if (outcome.kind !== 'answered') {
      const { kind, reason } = outcome;
      this.#counts[kind]++;
      this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
      this.#rhythm.beat(at, undefined);
      reference?.add(sample, undefined);
      this.#parts.onEvent({ kind: 'unanswered', ...where, outcome: kind, reason });
      return;
    }
    const { scored, latency, seconds } = outcome;
    const { scores, ...how } = scored;
    const { probabilities } = readAnswer(this.#parts.classifier, scores);
    const label = argmax(
      scores.length > 1 ? scores : Float64Array.from(probabilities ?? []),
      0,
      Math.max(2, scores.length),
      'the scores',
    );
    const name = this.#parts.classNames[label] ?? String(label);
    this.#counts.answered++;
    this.#classes.set(name, (this.#classes.get(name) ?? 0) + 1);
    this.latencies.add(latency);
    this.#rhythm.beat(at, name);
    reference?.add(sample, label);
    this.#parts.onEvent({
      ...{ kind: 'beat', ...where, class: name, label },
      probability: probabilities?.[label] ?? Number.NaN,
      ...{ ...how, latency, requestSeconds: seconds },
    });
  }

  /** Comparison with annotations, where there are some. */
  counted(): Counted | undefined {
    return this.#source.reference?.figures(this.#bed.seconds);
  }

  /** Everything so far. */
  result(): BedResult {
    const { bed, source } = this.#source;
    const rhythm = this.#rhythm.summary();
    const counted = this.counted();
    return {
      ...{ bed, source, lead: this.#bed.lead, rate: this.#bed.rate, seconds: this.#bed.seconds },
      ...this.#counts,
      reasons: Object.fromEntries(this.#reasons),
      classes: Object.fromEntries(this.#parts.classNames.map((name) => [name, this.#classes.get(name) ?? 0])),
      heartRate: rhythm.heartRate,
      latency: this.latencies.summary(),
      ...(counted ? referenceFigures([counted]) : {}),
      signal: this.#bed.counts,
      rhythm,
    };
  }
}

/** The text of whatever made a packet unreadable. */
export function unreadable(error: unknown): string {
  if (BedsideError.is(error)) return error.message;
  throw error instanceof Error ? error : new Error(messageOf(error));
}
