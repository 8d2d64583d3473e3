// A worker thread that answers questions one after the other, and the thread's own side of it.
import { parentPort, type Worker } from 'node:worker_threads';
import { BedsideError, type ErrorCode, messageOf, must } from './errors.ts';

type Reply<Answer> =
  | { readonly answer: Answer }
  | { readonly code: ErrorCode; readonly message: string; readonly hint: string | undefined };

/** A thread whose module calls `answerQuestions`. */
export class AskedThread<Question, Answer> {
  readonly #worker: Worker;
  readonly #hint: string;
  #failure: Error | undefined;
  #waiting: { resolve: (reply: Reply<Answer>) => void; reject: (error: Error) => void } | undefined;
  /** Ends when the last question has its answer. */
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param worker from `startThread`
   * @param hint what a user can do when the thread fails
   */
  constructor(worker: Worker, hint: string) {
    this.#worker = worker;
    this.#hint = hint;
    worker.on('message', (reply: Reply<Answer>) => this.#waiting?.resolve(reply));
    worker.on('error', (error) => this.#fail(`failed: ${error.message}`));
    worker.on('exit', () => this.#fail('has ended'));
  }

  /** Waits for the answers to earlier questions first. @throws what answering threw, or E_ENGINE for a thread that has ended */
  ask(question: Question): Promise<Answer> {
    const answer = this.#last.then(() => this.#ask(question));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  /** Ends the thread, which must not compute. */
  async release(): Promise<void> {
    this.#failure ??= new BedsideError('E_INTERNAL', 'internal: the thread has been closed');
    await this.#worker.terminate();
  }

  async #ask(question: Question): Promise<Answer> {
    const reply = await new Promise<Reply<Answer>>((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#waiting = { resolve, reject };
      this.#worker.postMessage(question);
    });
    if ('answer' in reply) return reply.answer;
    throw new BedsideError(reply.code, reply.message, reply.hint ? { hint: reply.hint } : {});
  }

  #fail(what: string): void {
    this.#failure ??= new BedsideError('E_ENGINE', `a thread of the command ${what}`, { hint: this.#hint });
    this.#waiting?.reject(this.#failure);
  }
}

/** Called by a thread's module: answers what the thread that started it asks. */
export function answerQuestions<Question, Answer>(perform: (question: Question) => Promise<Answer>): void {
  const port = must(parentPort, 'the parent of a thread');
  port.on('message', (question: Question) => {
    perform(question).then(
      (answer) => port.postMessage({ answer } satisfies Reply<Answer>),
      (error: unknown) => {
        const { code, message, hint } = BedsideError.is(error)
          ? error
          : new BedsideError('E_INTERNAL', `internal: ${messageOf(error)}`);
        port.postMessage({ code, message, hint } satisfies Reply<Answer>);
      },
    );
  });
}
