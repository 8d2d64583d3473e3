// Signs of life: who is watched, who is silent, and who may have missed something. Silence of the server is nobody's death,
// also while the connection to it seems to be there.
import { HEARTBEAT_MS, SILENCE_MS } from '../../protocol/fabric.ts';

/** What a node says of itself at every beat. */
export interface Heartbeat {
  /** Another whenever one of its connections has been lost in between. */
  readonly session: string;
  /** Why it goes. */
  readonly bye?: string | undefined;
}

interface Watched {
  readonly since: number;
  session: string | undefined;
  last: number;
  lost: boolean;
  /** Not heard since one of our connections came back. */
  awaited: boolean;
}

export interface HeartbeatHandlers {
  readonly lost: (peer: string, why: string) => void;
  readonly found: (peer: string) => void;
  /** Between us and these, messages may have been lost; all that are alive can be reached again. */
  readonly restored: (peers: ReadonlySet<string>) => void;
}

/** Milliseconds that others have to come back when the server does. */
const RETURN_MS = 2000;

/** Milliseconds after which a beat, or the server's answer, is late. */
const LATE_MS = 2 * HEARTBEAT_MS;

/** Who is watched by one node. */
export class HeartbeatMonitor {
  readonly #handlers: HeartbeatHandlers;
  readonly #watched = new Map<string, Watched>();
  readonly #torn = new Set<string>();
  #reachable = true;
  #tick = performance.now();
  /** When this process last woke up after it had stood still. */
  #stood = Number.NEGATIVE_INFINITY;

  constructor(handlers: HeartbeatHandlers) {
    this.#handlers = handlers;
  }

  /** @returns whether it is new */
  add(peer: string): boolean {
    if (this.#watched.has(peer)) return false;
    const since = performance.now();
    this.#watched.set(peer, { since, session: undefined, last: since, lost: false, awaited: false });
    return true;
  }

  /** A sign of life. */
  heard(peer: string, { session, bye }: Heartbeat): void {
    const watched = this.#watched.get(peer);
    if (!watched) return;
    if (bye !== undefined) {
      this.lose(peer, bye);
      return;
    }
    const now = performance.now();
    // A first sign of life that comes late: others may have been lost, and what else was sent.
    const late = watched.session === undefined && now - watched.since > LATE_MS;
    if (late || (watched.session !== undefined && watched.session !== session)) this.#torn.add(peer);
    const { lost } = watched;
    watched.last = now;
    watched.lost = false;
    watched.awaited = false;
    watched.session = session;
    if (lost) this.#handlers.found(peer);
    this.#settle();
  }

  /** No server: nothing can be heard, and nothing is concluded from it. */
  unreachable(): void {
    this.#reachable = false;
  }

  /** The server is there again. */
  reachable(): void {
    this.#reachable = true;
    for (const [peer, watched] of this.#watched) {
      watched.last = performance.now() + RETURN_MS;
      if (watched.lost) continue;
      watched.awaited = true;
      this.#torn.add(peer);
    }
    this.#settle();
  }

  /** To be called every `HEARTBEAT_MS`. */
  tick(): void {
    const now = performance.now();
    if (now - this.#tick > LATE_MS) this.#stood = now;
    this.#tick = now;
  }

  /**
   * To be called when the server has answered: what others had told it before has come.
   * @param asked when it was asked, on the clock of `performance`
   */
  check(asked = performance.now()): void {
    if (!this.#reachable) return;
    const now = performance.now();
    // Where this process itself stood still, what came meanwhile has not been read yet, and others may have stood with it.
    let patience = asked - this.#stood < LATE_MS ? LATE_MS : 0;
    // Where the server was silent, others may be on their way to it still.
    if (patience === 0 && now - asked > LATE_MS) patience = RETURN_MS;
    for (const [peer, watched] of this.#watched) {
      if (patience > 0) watched.last = Math.max(watched.last, now - SILENCE_MS + patience);
      else if (asked - watched.last > SILENCE_MS) this.lose(peer, 'it gave no sign of life');
    }
  }

  lose(peer: string, why: string): void {
    const watched = this.#watched.get(peer);
    if (!watched || watched.lost) return;
    watched.lost = true;
    watched.awaited = false;
    this.#torn.delete(peer);
    this.#handlers.lost(peer, why);
    this.#settle();
  }

  #settle(): void {
    if (!this.#reachable || this.#torn.size === 0) return;
    if ([...this.#watched.values()].some(({ awaited }) => awaited)) return;
    const torn = new Set(this.#torn);
    this.#torn.clear();
    this.#handlers.restored(torn);
  }
}
