// Where a command writes: results to stdout, progress and remarks to stderr, one JSON object under --json. Names from files
// never reach a terminal as control characters.
import cliProgress from 'cli-progress';
import { KeepingJournal } from '../../app/reporter.ts';
import { formatCount, formatSeconds, plainJson, plainLine, plainText } from '../../util/index.ts';

/** How much is written. */
export interface OutputOptions {
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
}

/** How far a long step is. */
export interface Progress {
  update(done: number, total: number, step?: string): void;
  /** Ends the line; safe to call twice. */
  stop(): void;
}

/** The output of a command; remarks and skipped data are also fields of the JSON object. */
export class Output extends KeepingJournal {
  readonly json: boolean;
  readonly quiet: boolean;

  constructor(options: OutputOptions) {
    super();
    this.json = options.json ?? false;
    this.quiet = options.quiet ?? false;
  }

  /** Lines of the result for people; nothing under --json. */
  print(text: string): void {
    if (!this.json) process.stdout.write(`${plainText(text)}\n`);
  }

  /** Empties the screen of a terminal; nothing elsewhere, and under --json. */
  clear(): void {
    if (!this.json && process.stdout.isTTY) process.stdout.write('\x1b[2J\x1b[H');
  }

  /** A remark beside the result, one line on stderr; nothing under --quiet. */
  note(text: string): void {
    if (!this.quiet) process.stderr.write(`${plainLine(text)}\n`);
  }

  /**
   * Under --json, the result as one JSON object, with `signals`, `remarks` and `skipped` if there are any. Numbers that are
   * not finite become null.
   */
  result(value: object): void {
    if (!this.json) return;
    const { signals, remarks, skipped } = this.said();
    const beside = {
      signals,
      remarks: remarks.length > 0 ? remarks : undefined,
      skipped: skipped.length > 0 ? skipped : undefined,
    };
    process.stdout.write(`${plainJson(JSON.stringify({ ...value, ...beside }))}\n`);
  }

  /** A progress bar where stderr is a terminal, else a line now and then. */
  progress(step: string): Progress {
    if (this.quiet) return { update: () => {}, stop: () => {} };
    return process.stderr.isTTY ? bar(step) : lines(step);
  }

  /** Runs `work` with a progress that is stopped however it ends. */
  async during<T>(step: string, work: (progress: Progress) => Promise<T>): Promise<T> {
    const progress = this.progress(step);
    try {
      return await work(progress);
    } finally {
      progress.stop();
    }
  }
}

function bar(first: string): Progress {
  let running = false;
  const single = new cliProgress.SingleBar({
    format: '{step} {bar} {value}/{total}',
    barsize: 30,
    barCompleteChar: '#',
    barIncompleteChar: '-',
    clearOnComplete: true,
    hideCursor: false,
    // Turning wrapping off would have to be undone on an interrupt.
    linewrap: true,
    stream: process.stderr,
  });
  return {
    update(done, total, step = first) {
      if (running) {
        single.setTotal(total);
        single.update(done, { step: plainLine(step) });
      } else {
        running = true;
        single.start(total, done, { step: plainLine(step) });
      }
    },
    stop() {
      if (running) single.stop();
      running = false;
    },
  };
}

const QUIET_MS = 10_000;

/** A step that takes long says so every ten seconds. */
function lines(first: string): Progress {
  const start = performance.now();
  let last = start;
  return {
    update(done, total, step = first) {
      const now = performance.now();
      if (now - last < QUIET_MS) return;
      last = now;
      const seconds = formatSeconds((now - start) / 1000);
      process.stderr.write(`${plainLine(step)}: ${formatCount(done)} of ${formatCount(total)}, ${seconds}\n`);
    },
    stop() {},
  };
}
