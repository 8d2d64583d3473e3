// Beats of a stream, gathered by signal and period, until each period is a result.
import { type AnsweredBy, type BeatAnswer, type BeatsResult, uuidOf } from '../../interop/internal.ts';
import { type RhythmRules, type RhythmSummary, RhythmWatch } from '../../signal/index.ts';
import type { BedResult, StreamEvent } from './events.ts';

/** What all results of a stream have. */
export interface StreamFacts {
  readonly by: AnsweredBy;
  /** What chose the levels. */
  readonly policy: string;
  readonly policySha256: string | undefined;
  readonly classes: readonly string[];
  readonly rules: RhythmRules;
  readonly replayed: boolean;
  /** Seconds of signal of one result. */
  readonly every: number;
  /** A UUID of this stream. */
  readonly stream: string;
  /** The patient of a bed, as the operator said. */
  readonly patientOf: (bed: string) => string | undefined;
  /** The same as an identifier of HL7 v2. */
  readonly identifierOf: (bed: string) => string | undefined;
}

/** One signal's period that is not over. */
interface Period {
  readonly index: number;
  readonly beats: BeatAnswer[];
  readonly levels: Map<string, readonly number[]>;
  readonly devices: Set<string>;
  readonly leads: Set<string>;
  readonly rates: Set<number>;
}

interface Bed {
  readonly number: number;
  /** When its signal began, in milliseconds since 1970. */
  readonly began: number;
  readonly rhythm: RhythmWatch;
  /** Changes of the signal by period and kind: they are told before the answers to earlier beats. */
  readonly changes: Map<number, Map<string, number>>;
  period: Period;
}

const CHANGES: Readonly<Record<string, string>> = {
  gap: 'gaps in the signal',
  late: 'packets that came too late',
  rate: 'changes of the sampling rate',
  restart: 'restarts of the signal',
  flat: 'times that the lead was flat',
  saturated: 'times that the lead was saturated',
  malformed: 'packets that could not be read',
};
/** Names of leads; other texts of a file's header may tell whose it is. */
const LEAD = /^(ECG |EKG )?(ML|MV|aV|V|CM|CC)?[A-Z0-9]{0,4}[+-]?$/i;

/** Makes results of what a stream tells. */
export class BeatCollector {
  readonly #facts: StreamFacts;
  readonly #deliver: (result: BeatsResult) => void;
  readonly #beds = new Map<string, Bed>();

  constructor(facts: StreamFacts, deliver: (result: BeatsResult) => void) {
    this.#facts = facts;
    this.#deliver = deliver;
  }

  take(event: StreamEvent): void {
    const bed = this.#bedOf(event);
    const { every } = this.#facts;
    const index = Math.max(bed.period.index, Math.floor(event.at / every));
    if (event.kind === 'signal') {
      if (!(event.what in CHANGES)) return;
      const own = bed.changes.get(index) ?? new Map<string, number>();
      bed.changes.set(index, own.set(event.what, (own.get(event.what) ?? 0) + 1));
      return;
    }
    // Beats come in order: the first of a later period ends those before, and beginnings of intervals and rows are kept.
    this.#advance(event.bed, bed, index);
    const { period, rhythm } = bed;
    period.leads.add(event.lead);
    period.rates.add(event.rate);
    if (event.afterBreak) rhythm.interrupt();
    // Of its own period: the seconds of the signal count on.
    const at = Math.max(0, event.at - period.index * every);
    if (event.kind === 'unanswered') {
      period.beats.push({ at, class: null, probability: null });
      rhythm.beat(event.at, undefined);
      return;
    }
    period.beats.push({ at, class: event.label, probability: event.probability });
    rhythm.beat(event.at, event.class);
    period.levels.set(event.levels.join(), event.levels);
    for (const device of event.devices) period.devices.add(device);
  }

  /** The stream has ended: what is left becomes results. */
  end(beds: readonly BedResult[]): void {
    for (const [name, bed] of this.#beds) {
      const seconds = beds.find((own) => own.bed === name)?.seconds ?? 0;
      this.#advance(name, bed, Math.max(bed.period.index, ...bed.changes.keys()));
      this.#end(name, bed, seconds, bed.rhythm.summary());
    }
    this.#beds.clear();
  }

  /** Ends the periods before one of this index, and those between in which the signal changed. */
  #advance(name: string, bed: Bed, to: number): void {
    while (bed.period.index < to) {
      this.#end(name, bed, (bed.period.index + 1) * this.#facts.every, bed.rhythm.nextPeriod());
      // Of the periods that ended nothing is left.
      bed.period = newPeriod(Math.min(to, ...bed.changes.keys()));
    }
  }

  #bedOf(event: StreamEvent): Bed {
    const known = this.#beds.get(event.bed);
    if (known) return known;
    // A signal's clock starts with its first sample; an answer tells how long ago its beat was.
    const ago = event.at + (event.kind === 'beat' ? event.latency : 0);
    const began = Date.now() - 1000 * ago;
    const { rules, classes } = this.#facts;
    const made = {
      ...{ number: this.#beds.size, began, period: newPeriod(0) },
      ...{ rhythm: new RhythmWatch(rules, classes), changes: new Map<number, Map<string, number>>() },
    };
    this.#beds.set(event.bed, made);
    return made;
  }

  /** @param until seconds from the signal's start */
  #end(name: string, bed: Bed, until: number, found: RhythmSummary): void {
    const { by, policy, policySha256, classes, replayed, every, stream, patientOf, identifierOf } =
      this.#facts;
    const { number, began, period } = bed;
    const changes = bed.changes.get(period.index) ?? new Map<string, number>();
    bed.changes.delete(period.index);
    if (period.beats.length === 0 && changes.size === 0) return;
    const from = period.index * every;
    const { heartRate, couplets, ventricularRuns, pauses, rules } = found;
    const moment = (seconds: number): string => new Date(began + 1000 * seconds).toISOString();
    this.#deliver({
      kind: 'beats',
      id: uuidOf('beats', stream, String(number), String(period.index)),
      issued: new Date().toISOString(),
      by,
      how: {
        ...{ levels: [...period.levels.values()], policy, policySha256, devices: [...period.devices].sort() },
        remarks: [...changes].map(([what, count]) => `${count} ${CHANGES[what]}.`),
      },
      patient: patientOf(name),
      patientIdentifier: identifierOf(name),
      period: { start: moment(from), end: moment(Math.max(from, until)) },
      ...{ replayed, classes, heartRate, beats: period.beats },
      lead: onlyOf(period.leads, (lead) => LEAD.test(lead)),
      rate: onlyOf(period.rates, Number.isFinite),
      rhythm: { couplets, ventricularRuns, pauses, rules },
    });
  }
}

function newPeriod(index: number): Period {
  return {
    ...{ index, beats: [], levels: new Map(), devices: new Set() },
    ...{ leads: new Set(), rates: new Set() },
  };
}

/** What all beats of a period have, if it is one and can be said. */
function onlyOf<T>(all: ReadonlySet<T>, canBeSaid: (value: T) => boolean): T | undefined {
  const [first, ...others] = all;
  return first !== undefined && others.length === 0 && canBeSaid(first) ? first : undefined;
}
