// Windows around beats that were found, at one sampling rate, once the signal that they need has come.
import {
  BeatWindows,
  type Lead,
  type SignalTarget,
  unitFactor,
  type WindowFault,
  writeWindows,
} from '../../data/internal.ts';
import { sizeOf } from '../../onnx/internal.ts';
import { LeadRing } from './lead-ring.ts';

/** How the network of a bundle reads beats. */
export interface BeatInput {
  readonly target: SignalTarget;
  /** Samples a second that the network reads. */
  readonly rate: number;
  readonly shape: readonly number[];
}

/** A beat with its window, or why it has none. */
export interface CutBeat {
  /** Of its R peak, in samples of this rate. */
  readonly sample: number;
  readonly input: Float32Array | undefined;
  readonly reason: string | undefined;
}

/** Resampling looks at so many samples beyond a window's ends, at the lower of both rates. */
const REACH = 33;
/** Seconds that are kept beside windows: longer than a detector takes. */
const KEPT = 2;

const REASONS: Readonly<Record<WindowFault, string>> = {
  outside: 'its window leaves the signal',
  gap: 'samples are missing in its window',
};

/** Cuts windows out of leads as they come. */
export class BeatCutter {
  readonly #input: BeatInput;
  readonly #windows: BeatWindows;
  readonly #ring: LeadRing;
  readonly #rate: number;
  /** From millivolts to the network's unit. */
  readonly #factor: number;
  readonly #back: number;
  readonly #ahead: number;
  readonly #waiting: number[] = [];

  /** @param rate samples a second of the signal */
  constructor(input: BeatInput, rate: number) {
    const { target } = input;
    this.#input = input;
    this.#rate = rate;
    this.#windows = new BeatWindows(target.length, input.rate, target.before);
    this.#factor = unitFactor(target.contract, 1);
    const step = rate / input.rate;
    const reach = step === 1 ? 0 : Math.ceil(REACH * Math.max(1, step));
    this.#back = Math.ceil(this.#windows.before * step) + reach;
    this.#ahead = Math.ceil((target.length - this.#windows.before) * step) + reach;
    this.#ring = new LeadRing(target.leads.length, this.#back + this.#ahead + Math.ceil(KEPT * rate));
  }

  /** Samples that came in. */
  get count(): number {
    return this.#ring.count;
  }

  /** Takes the next sample of each lead of the network. */
  push(leads: readonly Float64Array[], i: number): void {
    for (let lead = 0; lead < leads.length; lead++) this.#ring.set(lead, leads[lead]?.[i] ?? Number.NaN);
    this.#ring.next();
  }

  skip(samples: number): void {
    this.#ring.skip(samples);
  }

  /** Remembers a beat until its window has come. */
  beat(sample: number): void {
    this.#waiting.push(sample);
  }

  /** Whether the window of a beat has come. */
  get isReady(): boolean {
    const [first] = this.#waiting;
    return first !== undefined && first + this.#ahead <= this.#ring.count;
  }

  /** Windows that are whole now; at the signal's end also those that resampling would have looked beyond. */
  take(isEnd = false): CutBeat[] {
    const cut: CutBeat[] = [];
    while (this.isReady || (isEnd && this.#waiting.length > 0)) {
      cut.push(this.#cut(this.#waiting.shift() as number));
    }
    return cut;
  }

  #cut(sample: number): CutBeat {
    const { target, shape } = this.#input;
    const from = Math.max(0, sample - this.#back);
    const to = Math.min(this.#ring.count, sample + this.#ahead);
    const frame = sample - from;
    const leads = target.leads.map(
      (names, i): Lead => ({
        ...{ record: 'live', rate: this.#rate, name: names[0] ?? '', isFallback: false },
        signal: this.#ring.stretch(i, from, to).map((value) => value * this.#factor),
      }),
    );
    const fault = leads.map((lead) => this.#windows.faultOf(lead, frame)).find((own) => own !== undefined);
    if (fault) return { sample, input: undefined, reason: REASONS[fault] };
    const input = new Float32Array(sizeOf(shape));
    writeWindows(
      leads.map((lead) => this.#windows.cut(lead, frame)),
      target,
      input,
      0,
    );
    return { sample, input, reason: undefined };
  }
}
