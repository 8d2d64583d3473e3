// Watches the heartbeats of peers: which peers are silent, and which may have missed messages. No worker is declared
// lost because the server is silent, even if the connection still looks open.
import { HEARTBEAT_MS, silenceMs } from '../../protocol/fabric.ts';

/** The content of a heartbeat. */
export interface Heartbeat {
  /** Changes whenever the node has lost one of its connections in between. */
  readonly session: string;
  /** Whether the node has lost a connection since it joined. */
  readonly reconnected?: boolean | undefined;
  /** Reason for leaving, if the node goes. */
  readonly bye?: string | undefined;
}

interface WatchedPeer {
  readonly since: number;
  session: string | undefined;
  last: number;
  lost: boolean;
  /** Whether no heartbeat has come since one of our connections came back. */
  awaited: boolean;
}

/** Callbacks of a monitor. */
export interface HeartbeatHandlers {
  readonly lost: (peer: string, why: string) => void;
  readonly found: (peer: string) => void;
  /** Messages to or from these peers may have been lost; all peers that are alive can be reached again. */
  readonly restored: (peers: ReadonlySet<string>) => void;
}

/** Milliseconds that peers have to come back after the server does. */
const RETURN_MS = 2000;

/** Milliseconds after which a heartbeat, or a reply of the server, is late. */
const LATE_MS = 2 * HEARTBEAT_MS;

/** Milliseconds within which a peer answers a new watcher; a connection takes longer to come back. */
const PROMPT_MS = 50;

/** The peers that one node watches. */
export class HeartbeatMonitor {
  readonly #handlers: HeartbeatHandlers;
  readonly #silence: () => number;
  readonly #watched = new Map<string, WatchedPeer>();
  /** Peers to or from which messages may have been lost. */
  readonly #interrupted = new Set<string>();
  #reachable = true;
  #lastTick = performance.now();
  /** When this process last woke up after it had stood still. */
  #wokeUp = Number.NEGATIVE_INFINITY;

  /** @param silence milliseconds of silence that are too many */
  constructor(handlers: HeartbeatHandlers, silence: () => number = silenceMs) {
    this.#handlers = handlers;
    this.#silence = silence;
  }

  /** Watches a peer. @returns whether it is new */
  add(peer: string): boolean {
    if (this.#watched.has(peer)) return false;
    const since = performance.now();
    this.#watched.set(peer, { since, session: undefined, last: since, lost: false, awaited: false });
    return true;
  }

  /** Takes a heartbeat. */
  heard(peer: string, { session, reconnected = false, bye }: Heartbeat): void {
    const watched = this.#watched.get(peer);
    if (!watched) return;
    if (bye !== undefined) {
      this.lose(peer, bye);
      return;
    }
    const now = performance.now();
    // If the first heartbeat comes late, earlier ones and other messages may have been lost; also where the peer has lost
    // a connection, perhaps since it was first watched.
    const patience = reconnected ? PROMPT_MS : LATE_MS;
    const late = watched.session === undefined && now - watched.since > patience;
    if (late || (watched.session !== undefined && watched.session !== session)) this.#interrupted.add(peer);
    const { lost } = watched;
    watched.last = now;
    watched.lost = false;
    watched.awaited = false;
    watched.session = session;
    if (lost) this.#handlers.found(peer);
    this.#settle();
  }

  /** The server is away: nothing is concluded from silence. */
  unreachable(): void {
    this.#reachable = false;
  }

  /** The server is back. */
  reachable(): void {
    this.#reachable = true;
    for (const [peer, watched] of this.#watched) {
      watched.last = performance.now() + RETURN_MS;
      if (watched.lost) continue;
      watched.awaited = true;
      this.#interrupted.add(peer);
    }
    this.#settle();
  }

  /** To be called every `HEARTBEAT_MS`. */
  tick(): void {
    const now = performance.now();
    if (now - this.#lastTick > LATE_MS) this.#wokeUp = now;
    this.#lastTick = now;
  }

  /**
   * Finds silent peers. To be called when the server has replied, because all that peers had sent before is here then.
   * @param asked time at which the server was asked, on the clock of `performance`
   */
  check(asked = performance.now()): void {
    if (!this.#reachable) return;
    const now = performance.now();
    // If this process stood still, it has not read all that came meanwhile, and others may have stood still with it.
    let patience = asked - this.#wokeUp < LATE_MS ? LATE_MS : 0;
    // If the server was silent, peers may still be reconnecting to it.
    if (patience === 0 && now - asked > LATE_MS) patience = RETURN_MS;
    const silence = this.#silence();
    for (const [peer, watched] of this.#watched) {
      if (patience > 0) watched.last = Math.max(watched.last, now - silence + patience);
      else if (asked - watched.last > silence) this.lose(peer, 'it sent no heartbeat');
    }
  }

  /** Declares a peer lost. */
  lose(peer: string, why: string): void {
    const watched = this.#watched.get(peer);
    if (!watched || watched.lost) return;
    watched.lost = true;
    watched.awaited = false;
    this.#interrupted.delete(peer);
    this.#handlers.lost(peer, why);
    this.#settle();
  }

  #settle(): void {
    if (!this.#reachable || this.#interrupted.size === 0) return;
    if ([...this.#watched.values()].some(({ awaited }) => awaited)) return;
    const interrupted = new Set(this.#interrupted);
    this.#interrupted.clear();
    this.#handlers.restored(interrupted);
  }
}
