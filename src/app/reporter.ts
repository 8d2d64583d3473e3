// How a use case reports while it works. Notes and progress go to a reporter as they come; remarks and data that was passed over are
// also part of the result.

/** Takes what a use case says while it works. A terminal prints it, a service logs it, a test collects it. */
export interface Reporter {
  /** One line beside the result. */
  note(text: string): void;
  /** A long task has come so far. Called often: take what is shown from the latest call. */
  progress(task: string, done: number, total: number): void;
  /** A task has ended, or failed; not called for one without progress. */
  finished?(task: string): void;
}

/** Data that was not read, for one reason; `examples` are the first few names. */
export interface Skipped {
  readonly reason: string;
  readonly count: number;
  readonly examples: readonly string[];
}

/** How signals were read. */
export interface Signals {
  /** Samples a second. */
  readonly rate: number;
  /** Records by the lead that was read of them. */
  readonly leads: Readonly<Record<string, number>>;
}

/** How far a task is. */
export interface Progress {
  /** @param step takes the place of the task's name */
  update(done: number, total: number, step?: string): void;
}

/** The parts of a use case write to this. */
export interface Journal {
  /** A line beside the result. */
  note(text: string): void;
  /** A line that belongs to the result. The same again is said once. */
  remark(text: string): void;
  /** Data that was passed over: belongs to the result. The same again is counted once. */
  skip(skipped: Skipped): void;
  /** How signals were read: belongs to the result. */
  signals(signals: Signals): void;
  /** Remarks and skipped data so far, which belong to the result. */
  said(): Said;
  /** Runs `work` as a task whose progress is shown, and ended however it ends. */
  during<T>(task: string, work: (progress: Progress) => Promise<T>): Promise<T>;
}

/** Remarks of a result beside its figures. */
export interface Said {
  /** Sentences about everything that was guessed, approximated or ignored. */
  readonly remarks: readonly string[];
  /** Data that was not read. */
  readonly skipped: readonly Skipped[];
  /** How signals were read; absent for other data. */
  readonly signals?: Signals;
}

/** So many names stand for the rest. */
const EXAMPLES = 5;

/** Keeps what belongs to the result. Notes and progress are left to those that extend it. */
export abstract class KeepingJournal implements Journal {
  readonly #remarks = new Set<string>();
  readonly #skipped = new Map<string, Skipped>();
  #signals: Signals | undefined;

  abstract note(text: string): void;
  abstract during<T>(task: string, work: (progress: Progress) => Promise<T>): Promise<T>;

  said(): Said {
    return {
      remarks: [...this.#remarks],
      skipped: [...this.#skipped.values()],
      ...(this.#signals ? { signals: this.#signals } : {}),
    };
  }

  remark(text: string): void {
    if (this.#remarks.has(text)) return;
    this.#remarks.add(text);
    this.note(text);
  }

  skip(skipped: Skipped): void {
    const key = JSON.stringify(skipped);
    if (this.#skipped.has(key)) return;
    this.#skipped.set(key, skipped);
    const { reason, count, examples } = skipped;
    const few = examples.join(', ') + (examples.length >= EXAMPLES ? ', ...' : '');
    this.note(`passed over: ${count} ${reason}${few === '' ? '' : ` (${few})`}`);
  }

  signals(signals: Signals): void {
    this.#signals = signals;
  }
}

/** A journal that hands notes and progress on to a reporter. */
export class KeptJournal extends KeepingJournal {
  readonly #reporter: Reporter | undefined;

  constructor(reporter?: Reporter) {
    super();
    this.#reporter = reporter;
  }

  note(text: string): void {
    this.#reporter?.note(text);
  }

  async during<T>(task: string, work: (progress: Progress) => Promise<T>): Promise<T> {
    const reporter = this.#reporter;
    try {
      return await work({ update: (done, total, step = task) => reporter?.progress(step, done, total) });
    } finally {
      reporter?.finished?.(task);
    }
  }
}

/** The journal of a use case: one that is given, or a new one that hands on to a reporter. */
export function journalOf(reporter?: Reporter | Journal): Journal {
  return reporter !== undefined && 'during' in reporter ? reporter : new KeptJournal(reporter);
}
