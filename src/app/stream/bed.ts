// One live signal: packets in order, beats found, windows cut, and what happened to the signal on the way.
import { isLeadNamed, leadNamed, leadPlaces, type SignalTarget } from '../../data/internal.ts';
import {
  type LinePiece,
  PacketLine,
  QrsDetector,
  type QualityChange,
  type QualityRules,
  QualityWatch,
  type SignalPacket,
} from '../../signal/index.ts';
import { BedsideError, formatSeconds } from '../../util/index.ts';
import { BeatCutter, type BeatInput, type CutBeat } from './beat-cutter.ts';
import type { SignalCounts, SignalEvent } from './events.ts';

/** How a signal is read. */
export interface BedOptions extends QualityRules {
  readonly input: BeatInput;
  /** The lead in which beats are looked for; default: the first that the network reads. */
  readonly lead?: string | undefined;
  /** Seconds of later signal for which a missing packet is waited; default 0.25. */
  readonly patience?: number | undefined;
  /** R peaks that are given, in samples and in order, instead of looking for them. */
  readonly peaks?: readonly number[] | undefined;
}

/** A beat whose window has come, or that has none. */
export interface FoundBeat {
  /** Seconds from the signal's start. */
  readonly at: number;
  readonly sample: number;
  readonly input: Float32Array | undefined;
  /** Why it has no window. */
  readonly reason: string | undefined;
  /** Seconds of signal since the R peak that had come by now. */
  readonly waited: number;
  /** Whether the signal could not be read between the beat before and this one. */
  readonly isApart: boolean;
  readonly lead: string;
  readonly rate: number;
}

/** Takes what a signal gives, in order. */
export interface BedListener {
  beat(beat: FoundBeat): void;
  signal(event: Omit<SignalEvent, 'bed' | 'kind'>): void;
}

/** A gap of so many seconds may hide a beat. */
const HIDES = 0.1;

/** Names of the lead that is searched, and of those that the network reads. */
interface ReadLeads {
  readonly searched: string;
  readonly read: readonly string[];
}

/** So many packets in a row with other leads mean that they have changed. */
const OTHER_LEADS = 10;
/** Windows are not resampled between rates that are further apart. */
const MOST_RATIO = 64;

/** The parts that depend on the sampling rate. */
interface RatedParts {
  readonly rate: number;
  readonly detector: QrsDetector;
  readonly watch: QualityWatch;
  readonly cutter: BeatCutter;
  /** Seconds of signal before. */
  readonly base: number;
}

/** One signal. */
export class Bed {
  readonly #options: BedOptions;
  readonly #listener: BedListener;
  readonly #line: PacketLine;
  readonly #counts = {
    missing: 0,
    flat: 0,
    saturated: 0,
    late: 0,
    gaps: 0,
    rateChanges: 0,
    restarts: 0,
    malformed: 0,
  };
  #leads: ReadLeads | undefined;
  #parts: RatedParts | undefined;
  /** Samples at which the signal could not be read; beats beyond are apart from those before. */
  #breaks: number[] = [];
  #nextPeak = 0;
  /** Packets in a row without the leads that are read. */
  #lacking = 0;

  constructor(options: BedOptions, listener: BedListener) {
    this.#options = options;
    this.#listener = listener;
    this.#line = new PacketLine({ patience: options.patience });
  }

  /** The lead that is searched; empty before a packet came. */
  get lead(): string {
    return this.#leads?.searched ?? '';
  }

  /** Samples a second; NaN before a packet came. */
  get rate(): number {
    return this.#parts?.rate ?? Number.NaN;
  }

  /** Seconds of signal. */
  get seconds(): number {
    return this.#parts ? this.#parts.base + this.#parts.cutter.count / this.#parts.rate : 0;
  }

  /** What the signal was like up to now. */
  get counts(): SignalCounts {
    const { rate = 1, watch } = this.#parts ?? {};
    const own = watch?.samples ?? { missing: 0, flat: 0, saturated: 0 };
    return {
      ...this.#counts,
      missing: this.#counts.missing + own.missing / rate,
      flat: this.#counts.flat + own.flat / rate,
      saturated: this.#counts.saturated + own.saturated / rate,
      drift: this.#line.drift,
    };
  }

  /**
   * Takes a packet.
   * @throws BedsideError E_DATA for a packet without a rate where none is known, with leads of different lengths, without a
   * lead that is read, or of a rate at which no beats are found; nothing of it is taken then
   */
  push(packet: SignalPacket): void {
    const { rate = this.#line.rate } = packet;
    if (rate === undefined) {
      throw new BedsideError('E_DATA', 'a packet does not say how many samples a second it has', {
        hint: 'the first packet of a signal has a rate',
      });
    }
    const lengths = new Set([...packet.leads.values()].map(({ length }) => length));
    if (lengths.size !== 1) {
      throw new BedsideError('E_DATA', 'the leads of a packet have different numbers of samples', {
        hint: 'send as many samples of each lead',
      });
    }
    if (rate !== this.#parts?.rate) assertRate(rate, this.#options.input.rate);
    this.#leads = this.#leadsOf(packet);
    for (const piece of this.#line.push(packet)) this.#take(piece);
  }

  /** The leads that are read. Packets that lack them are refused, until so many in a row have the same others. */
  #leadsOf(packet: SignalPacket): ReadLeads {
    const { input, lead } = this.#options;
    const known = this.#leads;
    const missing = known && [known.searched, ...known.read].find((name) => !packet.leads.has(name));
    if (known && missing === undefined) {
      this.#lacking = 0;
      return known;
    }
    const found = chooseLeads(input.target, packet.leads.keys(), lead);
    if (missing === undefined) return found;
    this.#lacking++;
    if (this.#lacking < OTHER_LEADS) {
      throw new BedsideError('E_DATA', `a packet lacks the lead ${missing}`, {
        hint: `each packet of a signal has the same leads; this one has ${[...packet.leads.keys()].join(', ')}`,
      });
    }
    this.#lacking = 0;
    for (const piece of this.#line.flush()) this.#take(piece);
    this.#counts.restarts++;
    this.#tell('restart', `the lead is ${found.searched} from here on, before ${known?.searched}`);
    this.#renew(this.rate);
    return found;
  }

  /** A packet could not be read. */
  malformed(text: string): void {
    this.#counts.malformed++;
    this.#tell('malformed', text);
  }

  /** The signal has ended: decides and cuts what is left. */
  end(): void {
    for (const piece of this.#line.flush()) this.#take(piece);
    this.#finish();
  }

  #take(piece: LinePiece): void {
    switch (piece.kind) {
      case 'rate':
        if (this.#parts) {
          this.#counts.rateChanges++;
          this.#tell('rate', `${piece.rate} samples a second from here on, before ${this.#parts.rate}`);
        }
        this.#renew(piece.rate);
        return;
      case 'restart':
        this.#counts.restarts++;
        this.#tell('restart', "the sender's clock jumped: beats before and after are not connected");
        this.#renew(this.rate);
        return;
      case 'late':
        this.#counts.late += piece.count;
        this.#tell('late', `${piece.count} samples came too late and were left out`);
        return;
      case 'gap':
        this.#gap(piece.count);
        return;
      case 'samples':
        this.#samples(piece.leads, piece.count);
    }
  }

  #gap(count: number): void {
    const { detector, watch, cutter, rate } = this.#parts as RatedParts;
    this.#counts.gaps++;
    this.#tell('gap', `${count} samples are missing (${formatSeconds(count / rate)})`);
    if (count >= HIDES * rate) this.#breaks.push(cutter.count);
    detector.skip(count);
    watch.skip(count);
    cutter.skip(count);
    this.#cut(cutter.take(), cutter.count);
  }

  #samples(all: ReadonlyMap<string, Float64Array>, count: number): void {
    const { detector, watch, cutter } = this.#parts as RatedParts;
    const { searched, read } = this.#leads as ReadLeads;
    const samples = all.get(searched) as Float64Array;
    const leads = read.map((name) => all.get(name) as Float64Array);
    // What a packet decides is there when its last sample is.
    const end = cutter.count + count;
    for (let i = 0; i < count; i++) {
      const sample = samples[i] as number;
      const change = watch.push(sample);
      if (change) this.#quality(change);
      cutter.push(leads, i);
      if (this.#options.peaks) this.#given(this.#options.peaks, cutter);
      else {
        const isSignal = !watch.isSaturated(sample) && !watch.isFlat;
        const beat = detector.push(isSignal ? sample : Number.NaN);
        if (beat) cutter.beat(beat.sample);
      }
      if (cutter.isReady) this.#cut(cutter.take(), end);
    }
  }

  /** Beats that are given are told when their R peak has come. */
  #given(peaks: readonly number[], cutter: BeatCutter): void {
    while ((peaks[this.#nextPeak] ?? Number.POSITIVE_INFINITY) < cutter.count) {
      cutter.beat(peaks[this.#nextPeak++] as number);
    }
  }

  #quality({ what, sample }: QualityChange): void {
    const { base, rate } = this.#parts as RatedParts;
    if (what !== 'readable') this.#breaks.push(sample);
    const text = {
      flat: 'the lead is off: the same value',
      saturated: 'the amplifier is saturated',
      readable: 'readable again',
    };
    this.#listener.signal({ at: base + sample / rate, what, text: text[what] });
  }

  /** @param end samples that have come */
  #cut(beats: readonly CutBeat[], end: number): void {
    const { base, rate } = this.#parts as RatedParts;
    for (const { sample, input, reason } of beats) {
      const broken = this.#breaks.findLastIndex((at) => at <= sample);
      if (broken >= 0) this.#breaks.splice(0, broken + 1);
      this.#listener.beat({
        ...{ at: base + sample / rate, sample, input, reason },
        waited: (end - sample) / rate,
        ...{ isApart: broken >= 0, lead: this.lead, rate },
      });
    }
  }

  /** Ends what depends on the rate, and begins it anew. */
  #renew(rate: number): void {
    const base = this.seconds;
    const hadSome = this.#parts !== undefined;
    this.#finish();
    const old = this.counts;
    Object.assign(this.#counts, { missing: old.missing, flat: old.flat, saturated: old.saturated });
    this.#parts = this.#partsFor(rate, base);
    this.#breaks = hadSome ? [0] : [];
  }

  #finish(): void {
    if (!this.#parts) return;
    const { detector, cutter } = this.#parts;
    if (!this.#options.peaks)
      for (const { sample } of detector.flush()) if (sample < cutter.count) cutter.beat(sample);
    this.#cut(cutter.take(true), cutter.count);
  }

  #partsFor(rate: number, base = 0): RatedParts {
    return {
      ...{ rate, base },
      detector: new QrsDetector(rate),
      watch: new QualityWatch(rate, this.#options),
      cutter: new BeatCutter(this.#options.input, rate),
    };
  }

  #tell(what: SignalEvent['what'], text: string): void {
    this.#listener.signal({ at: this.seconds, what, text });
  }
}

/** @throws BedsideError E_DATA for a rate at which no beats are found, or too far from the network's */
function assertRate(rate: number, network: number): void {
  new QrsDetector(rate);
  if (rate <= network * MOST_RATIO && network <= rate * MOST_RATIO) return;
  throw new BedsideError('E_DATA', `${rate} samples a second are too far from the network's ${network}`, {
    hint: 'check the rate of the packets',
  });
}

/**
 * The lead to search, and those that the network reads: each the first of its names that there is, `*` any other.
 * @param wanted the lead to search; a network of one lead reads it too
 * @throws BedsideError E_DATA where one is missing
 */
export function chooseLeads(
  { leads }: SignalTarget,
  there: Iterable<string>,
  wanted: string | undefined,
): ReadLeads {
  const names = [...there];
  const lacks = (lead: string): BedsideError =>
    new BedsideError('E_DATA', `the signal has no lead ${lead}`, {
      hint: `it has ${names.join(', ') || 'none'}; --lead names one, and the contract those of the network`,
    });
  const named = wanted === undefined ? undefined : leadNamed(names, wanted);
  if (wanted !== undefined && named === undefined) throw lacks(wanted);
  if (named !== undefined && leads.length === 1) return { searched: named, read: [named] };
  const read = leadPlaces(names, leads, isLeadNamed).map((place, i) => {
    const name = names[place];
    if (name === undefined) throw lacks((leads[i] ?? []).join(' or '));
    return name;
  });
  return { searched: named ?? (read[0] as string), read };
}
