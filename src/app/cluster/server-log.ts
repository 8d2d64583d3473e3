// The log file of a server, read as it grows. Not a pipe: a pipe would end the server with the first line that nobody reads.
import { type FileHandle, open } from 'node:fs/promises';

const LOOK_MS = 100;

/** A file that another process writes to. */
export class ServerLog {
  readonly #path: string;
  readonly #onText: (text: string) => void;
  #handle: FileHandle | undefined;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #at = 0;
  #waiting: { readonly text: string; readonly done: () => void } | undefined;
  /** The last line. */
  last = '';

  /** @param onText is called with whole lines, as they come */
  constructor(path: string, onText: (text: string) => void) {
    this.#path = path;
    this.#onText = onText;
  }

  /** Begins to read. `w` empties the file; `r` skips the lines that are there. */
  async open(how: 'r' | 'w'): Promise<FileHandle> {
    const handle = await open(this.#path, how === 'w' ? 'w+' : 'a+', 0o600);
    this.#handle = handle;
    this.#at = (await handle.stat()).size;
    this.#timer = setInterval(() => void this.read(), LOOK_MS);
    return handle;
  }

  /** Resolves when a line contains this text. */
  says(text: string): Promise<void> {
    return new Promise((done) => {
      this.#waiting = { text, done };
    });
  }

  /** Reads all that is there now. */
  read(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#more());
    return this.#turn;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.read();
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #more(): Promise<void> {
    if (!this.#handle) return;
    const buffer = Buffer.alloc(1 << 16);
    const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.#at);
    // A line that is not complete yet is read with its rest.
    const text = buffer.subarray(0, buffer.lastIndexOf('\n', bytesRead - 1) + 1).toString();
    if (bytesRead === 0 || text === '') return;
    this.#at += Buffer.byteLength(text);
    this.#onText(text.trimEnd());
    this.last = text.trimEnd().split('\n').at(-1) ?? '';
    if (this.#waiting && text.includes(this.#waiting.text)) this.#waiting.done();
    if (bytesRead === buffer.length) await this.#more();
  }
}
