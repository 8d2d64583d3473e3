// Events for pages that watch, as server-sent events. Each page has a place in one ring of events, and nothing of its
// own: a page that reads slowly skips ahead, and never makes the gateway's memory grow.
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { BedsideError } from '../../util/index.ts';

/** Events that are kept for pages that come back. */
const MOST_EVENTS = 4096;
/** Bytes of all of them. */
const MOST_BYTES = 8 * 2 ** 20;
/** Pages that watch at the same time. */
const MOST_PAGES = 64;
/** Milliseconds after the last page has gone in which it may come back for what it missed. */
const MISSED_MS = 60_000;
/** Milliseconds between two signs of life. */
const BEAT_MS = 5000;

interface HubEvent {
  readonly seq: number;
  readonly text: string;
}

interface Page {
  readonly response: ServerResponse;
  /** Number of the last event that was written. */
  sent: number;
  /** Whether the connection takes no more for the moment. */
  full: boolean;
}

/** Events by number, and the pages that watch them. */
export class EventHub {
  /** Names this process: numbers of another one mean nothing here. */
  readonly #run = randomBytes(6).toString('hex');
  readonly #events: HubEvent[] = [];
  readonly #pages = new Set<Page>();
  readonly #onWatched: (isWatched: boolean) => void;
  #bytes = 0;
  #seq = 0;
  #beat: NodeJS.Timeout | undefined;
  /** When the last page went; nobody has watched so far. */
  #left = Number.NEGATIVE_INFINITY;
  #closed = false;

  /** @param onWatched is told when the first page comes, and when the last one goes */
  constructor(onWatched: (isWatched: boolean) => void = () => {}) {
    this.#onWatched = onWatched;
  }

  /** Pages that watch now. */
  get pages(): number {
    return this.#pages.size;
  }

  /** Sends an event to all pages. @param data goes out as JSON; it must hold no samples and no identifiers */
  publish(type: string, data: unknown): void {
    const seq = ++this.#seq;
    if (this.#pages.size === 0 && performance.now() - this.#left > MISSED_MS) {
      // Nobody will ask for it: a page that comes now reads everything anew.
      this.#forget();
      return;
    }
    const text = `event: ${type}\nid: ${this.#run}-${seq}\ndata: ${JSON.stringify(data)}\n\n`;
    this.#events.push({ seq, text });
    this.#bytes += text.length;
    while (this.#events.length > MOST_EVENTS || this.#bytes > MOST_BYTES) {
      this.#bytes -= this.#events.shift()?.text.length ?? 0;
    }
    for (const page of this.#pages) this.#pump(page);
  }

  /**
   * Sends events to a page until it goes: those after `last` first, if they are still known; otherwise `reset`, upon
   * which the page reads everything anew.
   * @param last the header `Last-Event-ID`
   * @throws BedsideError E_BUSY when too many pages watch, or the hub is closed
   */
  watch(response: ServerResponse, last: string | undefined): void {
    if (this.#closed || this.#pages.size >= MOST_PAGES) {
      throw new BedsideError('E_BUSY', 'too many pages watch, or the gateway is stopping', {
        hint: 'close other tabs of the dashboard',
      });
    }
    const page: Page = { response, sent: this.#placeOf(last), full: false };
    response.on('drain', () => {
      page.full = false;
      this.#pump(page);
    });
    response.on('close', () => this.#leave(page));
    this.#pages.add(page);
    if (this.#pages.size === 1) this.#start();
    this.#write(page, 'retry: 1000\n\n');
    if (page.sent < 0) this.#reset(page);
    this.#pump(page);
  }

  /** Ends all pages' streams; they will come back by themselves. */
  close(): void {
    this.#closed = true;
    for (const { response } of this.#pages) response.end();
  }

  /** The number after which a page goes on; -1 where it must read everything anew. */
  #placeOf(last: string | undefined): number {
    const [run, number = ''] = (last ?? '').split('-');
    const seq = run === this.#run && /^\d{1,15}$/.test(number) ? Number(number) : -1;
    const oldest = this.#events[0]?.seq ?? this.#seq + 1;
    return seq >= oldest - 1 && seq <= this.#seq ? seq : -1;
  }

  #forget(): void {
    if (this.#events.length === 0) return;
    this.#events.length = 0;
    this.#bytes = 0;
  }

  #reset(page: Page): void {
    page.sent = this.#seq;
    this.#write(page, `event: reset\nid: ${this.#run}-${this.#seq}\ndata: {}\n\n`);
  }

  #pump(page: Page): void {
    while (!page.full && page.sent < this.#seq) {
      const first = this.#events[0]?.seq ?? this.#seq + 1;
      const next = this.#events[page.sent + 1 - first];
      if (!next) {
        this.#reset(page);
        return;
      }
      page.sent = next.seq;
      this.#write(page, next.text);
    }
  }

  #write(page: Page, text: string): void {
    if (!page.response.write(text)) page.full = true;
  }

  #start(): void {
    this.#beat = setInterval(() => {
      for (const page of this.#pages) if (!page.full) this.#write(page, 'event: beat\ndata: {}\n\n');
    }, BEAT_MS);
    this.#beat.unref();
    this.#onWatched(true);
  }

  #leave(page: Page): void {
    if (!this.#pages.delete(page) || this.#pages.size > 0) return;
    clearInterval(this.#beat);
    this.#left = performance.now();
    this.#onWatched(false);
  }
}
