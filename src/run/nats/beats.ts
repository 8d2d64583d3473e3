// Signs of life: who is watched, who is silent, and who may have missed something. Silence of the server is nobody's death.
import { BEAT_MS, SILENCE_MS } from '../fabric.ts';

/** What a node says of itself at every beat. */
export interface Beat {
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

export interface BeatHandlers {
  readonly lost: (peer: string, why: string) => void;
  /** Between us and these, messages may have been lost; all that are alive can be reached again. */
  readonly restored: (peers: ReadonlySet<string>) => void;
}

/** Milliseconds that others have to come back when the server does. */
const RETURN_MS = 2000;

/** Who is watched by one node. */
export class Watch {
  readonly #handlers: BeatHandlers;
  readonly #watched = new Map<string, Watched>();
  readonly #torn = new Set<string>();
  #reachable = true;
  #tick = performance.now();

  constructor(handlers: BeatHandlers) {
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
  heard(peer: string, { session, bye }: Beat): void {
    const watched = this.#watched.get(peer);
    if (!watched) return;
    if (bye !== undefined) {
      this.lose(peer, bye);
      return;
    }
    const now = performance.now();
    // A first sign of life that comes late: others may have been lost, and what else was sent.
    const late = watched.session === undefined && now - watched.since > 2 * BEAT_MS;
    if (late || (watched.session !== undefined && watched.session !== session)) this.#torn.add(peer);
    watched.last = now;
    watched.lost = false;
    watched.awaited = false;
    watched.session = session;
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

  /** To be called every `BEAT_MS`. */
  check(): void {
    const now = performance.now();
    // Where this process itself stood still, what came meanwhile has not been read yet.
    const late = now - this.#tick > 2 * BEAT_MS;
    this.#tick = now;
    if (!this.#reachable) return;
    for (const [peer, watched] of this.#watched) {
      if (late) watched.last = Math.max(watched.last, now - SILENCE_MS + 2 * BEAT_MS);
      else if (now - watched.last > SILENCE_MS) this.lose(peer, 'it gave no sign of life');
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
