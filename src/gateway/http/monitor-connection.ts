// One monitor on a WebSocket: its packets go to the beds of `stream`, answers go back in order. What is read waits for what
// is answered, and for what the monitor reads itself.
import type { WebSocket } from 'ws';
import type { SignalSession, StreamEvent } from '../../app/index.ts';
import { BedsideError } from '../../util/index.ts';

/** Bytes of one message. */
export const MOST_MESSAGE = 2 ** 20;

/** Bytes of answers that a monitor has not read: from here on nothing more is taken of it, and at most so many are kept. */
const ENOUGH_UNREAD = 2 ** 18;
const MOST_UNREAD = 2 ** 23;
/** Milliseconds between two looks whether it has read some. */
const LOOK_MS = 50;

/** Milliseconds between two pings; a monitor that leaves one unanswered has gone. */
const PING_MS = 15_000;

/** Milliseconds that beats have for their answers when the gateway stops. */
const STOP_MS = 5000;

/** Why a connection ends, as WebSocket has it. */
const CLOSE = { done: 1000, stopping: 1001, failed: 1011, slow: 1013 } as const;

/** A monitor's connection. */
export class MonitorConnection {
  readonly #socket: WebSocket;
  #session: SignalSession | undefined;
  #isAnswering = true;
  #isEnding = false;
  #isPaused = false;
  /** Bytes that it had not read at the last ping, while nothing was taken of it. */
  #unread = 0;
  readonly #pings: NodeJS.Timeout;
  /** Resolves when the connection is closed. */
  readonly closed: Promise<void>;

  /** @param pingMs milliseconds between two pings */
  constructor(socket: WebSocket, pingMs = PING_MS) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('pong', () => {
      this.#isAnswering = true;
    });
    // Frames that are malformed or too large end their connection: `close` follows.
    socket.on('error', () => {});
    this.#pings = setInterval(() => this.#ping(), pingMs);
    this.#pings.unref();
    void this.closed.then(() => {
      clearInterval(this.#pings);
      this.#session?.abort();
    });
  }

  /** Takes packets from now on. */
  start(session: SignalSession): void {
    this.#session = session;
    this.#socket.on('message', (data, isBinary) => {
      if (this.#isEnding) return;
      if (isBinary) {
        session.refuse(new BedsideError('E_DATA', 'a message is binary, not text: send packets as JSON'));
      } else this.#take(session, String(data));
    });
  }

  /** Sends an event. One who does not read is let go. */
  tell(event: StreamEvent | object): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > MOST_UNREAD) this.#close(CLOSE.slow, 'answers are not read');
    else this.#socket.send(JSON.stringify(event));
  }

  /** Ends it because the gateway stops: beats that were found are answered, if that does not take long. */
  async stop(): Promise<void> {
    const late = new Promise<void>((resolve) => setTimeout(resolve, STOP_MS).unref());
    await Promise.race([this.#finish(CLOSE.stopping, 'the gateway is stopping'), late]);
    this.#socket.terminate();
    await this.closed;
  }

  #take(session: SignalSession, text: string): void {
    // The last message of a monitor that wants its summary.
    if (isEnd(text)) void this.#finish(CLOSE.done, 'the signals have ended');
    else {
      session.take(text);
      if (!this.#isPaused) void this.#whenRoom(session);
    }
  }

  /** Reads nothing more until there is room. */
  async #whenRoom(session: SignalSession): Promise<void> {
    this.#isPaused = true;
    this.#socket.pause();
    await session.room();
    while (this.#socket.readyState === this.#socket.OPEN && this.#socket.bufferedAmount > ENOUGH_UNREAD) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    this.#isPaused = false;
    this.#unread = 0;
    this.#socket.resume();
  }

  async #finish(code: number, why: string): Promise<void> {
    if (this.#isEnding || !this.#session) return;
    this.#isEnding = true;
    try {
      this.tell({ kind: 'summary', ...(await this.#session.end()) });
      this.#close(code, why);
    } catch {
      this.#close(CLOSE.failed, 'the gateway failed');
    }
  }

  #close(code: number, why: string): void {
    this.#socket.close(code, why);
  }

  #ping(): void {
    if (this.#isPaused) this.#lookPaused();
    else if (!this.#isAnswering) this.#socket.terminate();
    else {
      this.#isAnswering = false;
      this.#socket.ping();
    }
  }

  /** While nothing is read its pongs are not either: one that has answers to read, and has read none of them, has gone. */
  #lookPaused(): void {
    const unread = this.#socket.bufferedAmount;
    if (unread > ENOUGH_UNREAD && unread >= this.#unread && this.#unread > 0) this.#socket.terminate();
    this.#unread = unread;
    this.#isAnswering = true;
  }
}

function isEnd(text: string): boolean {
  if (text.length > 64) return false;
  try {
    return (JSON.parse(text) as { end?: unknown } | null)?.end === true;
  } catch {
    return false;
  }
}
