// The secure sessions of a node. To send to a peer without a session, a node first sends a signed hello and waits for
// the reply. Both then know each other's certificate, and that the other is alive now. Messages that are not sealed in
// a session are refused, and so are those from an earlier instance of either node.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { deleteOldest } from '../../../util/internal.ts';
import type { Channel } from '../transport/subjects.ts';
import { EphemeralKey, SecureSession, type SessionSide, sessionIdOf } from './session.ts';
import { type SigningIdentity, signStatement, verifyStatement } from './statement.ts';

/** Milliseconds after which an unanswered hello is repeated. */
const REPEAT_MS = 250;
/** Milliseconds after which messages that wait for a session are lost. */
const TIMEOUT_MS = 5000;

/** Hellos of one peer that are read in a burst, and in each second. */
const MAX_HELLOS = 10;

const MAX_HELLO_BYTES = 4096;

/** Bytes of messages that may wait for sessions, for all peers. */
const MAX_WAITING = 256e6;

/** Number of peers that are known. */
const MAX_PEERS = 1024;
/** Open sessions with one peer, and sessions that the peer began but has not used. */
const MAX_OPEN = 3;
const MAX_NEW = 2;

/** Milliseconds between two notices to one peer that its session is unknown here. */
const NOTICE_MS = 200;

/** A message that waits for a session. */
type Waiting = (session: SecureSession) => void;

interface Peer {
  /** The session for outgoing messages. */
  out: SecureSession | undefined;
  /** By id, the oldest first. */
  readonly open: Map<string, SecureSession>;
  /** By id: sessions that the peer began, but has not used so far. */
  readonly begun: Map<string, UnusedSession>;
  readonly waiting: Waiting[];
  waitingBytes: number;
  /** Nonce of the unanswered hello; repeated hellos have the same nonce. */
  nonce: string | undefined;
  since: number;
  timer: NodeJS.Timeout | undefined;
  hellos: number;
  refilled: number;
}

interface UnusedSession {
  readonly session: SecureSession;
  /** Nonces of the hello that began it, and of the reply. */
  readonly nonce: string;
  readonly replyNonce: string;
}

interface Hello {
  readonly from: string;
  readonly to: string;
  readonly key: string;
  readonly nonce: string;
  readonly instance: string;
  /** The nonce of the hello that this one answers. */
  readonly answer?: string;
}

/** The node that the sessions belong to. */
export interface LocalNode {
  readonly name: string;
  /** Random id of this run of the node. */
  readonly instance: string;
  readonly own: SigningIdentity;
}

/** Callbacks of the sessions. */
export interface SecureSessionsHandlers {
  /** Sends a hello, or a sealed message of the control channel, to a peer. */
  readonly send: (what: 'hello' | 'control', to: string, bytes: Uint8Array) => void;
  readonly onNote: (text: string) => void;
}

/** All sessions of a node. */
export class SecureSessions {
  readonly #self: LocalNode;
  readonly #handlers: SecureSessionsHandlers;
  readonly #ephemeral = new EphemeralKey();
  readonly #peers = new Map<string, Peer>();
  /** Time of the last notice about an unknown session, by peer. */
  readonly #notices = new Map<string, number>();
  /** Bytes of messages that wait for sessions. */
  #waiting = 0;
  #closed = false;

  constructor(self: LocalNode, handlers: SecureSessionsHandlers) {
    this.#self = self;
    this.#handlers = handlers;
  }

  /**
   * Calls `send` with a session: at once, or as soon as there is one. Never called if the peer does not reply.
   * @param bytes of the message that waits
   */
  withSession(to: string, bytes: number, send: Waiting): void {
    if (this.#closed) return;
    const peer = this.#peer(to);
    if (peer.out) {
      send(peer.out);
      return;
    }
    if (this.#waiting + bytes > MAX_WAITING) {
      this.#handlers.onNote(`too many messages wait for '${to}' and other nodes to reply; new ones are lost`);
      return;
    }
    peer.waiting.push(send);
    peer.waitingBytes += bytes;
    this.#waiting += bytes;
    this.ensureSession(to);
  }

  /** Begins a session with a peer, unless there is one. */
  ensureSession(to: string): void {
    const peer = this.#peer(to);
    if (this.#closed || peer.out || peer.nonce !== undefined) return;
    peer.since = performance.now();
    this.#beginHello(to, peer);
  }

  /** Opens a sealed message; undefined if the peer has not sealed it, or if it is a replay. */
  open(from: string, channel: Channel, sealed: Buffer): Buffer | undefined {
    const peer = this.#peers.get(from);
    const id = sessionIdOf(sealed);
    const session = peer?.open.get(id) ?? peer?.begun.get(id)?.session;
    if (!peer || !session) {
      this.#sendNotice(from, id);
      return undefined;
    }
    const payload = session.open(channel, sealed);
    if (payload && peer.begun.delete(id)) {
      // The peer is alive: somebody who only replays a hello cannot seal anything.
      this.#add(peer, session);
      this.#ready(peer, session);
    }
    return payload;
  }

  /** Takes a message from the subject of hellos. */
  receiveHello(from: string, bytes: Uint8Array): void {
    if (this.#closed || bytes.length > MAX_HELLO_BYTES) return;
    const text = Buffer.from(bytes).toString();
    if (text.startsWith(UNKNOWN)) {
      const peer = this.#peers.get(from);
      if (peer?.out && text === `${UNKNOWN}${hexOf(peer.out.id)}`) this.#renew(from, peer);
      return;
    }
    const known = this.#peers.get(from);
    if (known && !isWithin(known)) return;
    const { own, name } = this.#self;
    const statement = verifyStatement(own, 'hello', text, from);
    const hello = statement && readHello(statement.text);
    if (!hello || hello.from !== from || hello.to !== name) {
      this.#handlers.onNote(
        `the hello of '${from}' is refused: it has no certificate of this cluster for that name`,
      );
      return;
    }
    const shared = this.#ephemeral.share(hello.key);
    if (!shared) return;
    const peer = this.#peer(from);
    if (hello.answer === undefined) this.#reply(peer, hello, shared);
    else this.#receiveReply(peer, hello, shared);
  }

  /** Renews the session with a peer if the peer has another instance now. */
  noteInstance(name: string, instance: string): void {
    const peer = this.#peers.get(name);
    if (peer?.out && peer.out.instance !== instance) this.#renew(name, peer);
  }

  /** Renews all sessions, because peers may have been restarted while this node was disconnected. */
  renewAll(): void {
    for (const [name, peer] of this.#peers) {
      peer.out = undefined;
      this.#forget(peer);
      if (peer.waiting.length > 0) this.ensureSession(name);
    }
  }

  /** The instance of a peer in the latest session with it. */
  instanceOf(name: string): string | undefined {
    const peer = this.#peers.get(name);
    return peer?.out?.instance ?? [...(peer?.open.values() ?? [])].at(-1)?.instance;
  }

  /** Settles when no message waits any more, or after so many milliseconds. */
  async whenSettled(most: number): Promise<void> {
    const end = performance.now() + most;
    while ([...this.#peers.values()].some(({ waiting }) => waiting.length > 0)) {
      if (performance.now() > end) return;
      await sleep(5);
    }
  }

  /** Forgets all sessions and waiting messages. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#peers.values()) clearInterval(timer);
    this.#peers.clear();
  }

  #peer(name: string): Peer {
    const before = this.#peers.get(name);
    if (before) return before;
    if (this.#peers.size >= MAX_PEERS) this.#evict();
    const peer: Peer = {
      ...{ out: undefined, open: new Map(), begun: new Map(), waiting: [], waitingBytes: 0 },
      ...{ nonce: undefined, since: 0, timer: undefined, hellos: MAX_HELLOS, refilled: performance.now() },
    };
    this.#peers.set(name, peer);
    return peer;
  }

  /** Forgets the longest known peer without waiting messages. If it is still there, it sends a hello again. */
  #evict(): void {
    for (const [name, peer] of this.#peers) {
      if (peer.waiting.length > 0) continue;
      this.#forget(peer);
      this.#peers.delete(name);
      return;
    }
  }

  #beginHello(to: string, peer: Peer): void {
    const nonce = newNonce();
    peer.nonce = nonce;
    this.#sendHello(to, { nonce });
    peer.timer = setInterval(() => {
      if (performance.now() - peer.since > TIMEOUT_MS) {
        this.#drop(peer);
        this.#forget(peer);
      } else if (peer.waiting.length > 0) this.#sendHello(to, { nonce });
    }, REPEAT_MS);
    peer.timer.unref();
  }

  #sendHello(to: string, { nonce, answer }: { readonly nonce: string; readonly answer?: string }): void {
    const { name, instance, own } = this.#self;
    const hello: Hello = {
      ...{ from: name, to, key: this.#ephemeral.publicKey, nonce, instance },
      ...(answer === undefined ? {} : { answer }),
    };
    this.#handlers.send('hello', to, Buffer.from(signStatement(own, 'hello', JSON.stringify(hello))));
  }

  /** Replies to the hello of a peer that begins a session. */
  #reply(peer: Peer, hello: Hello, shared: Buffer): void {
    // The hello was repeated because the reply was late: the session is the same.
    const before = [...peer.begun.values()].find(({ nonce }) => nonce === hello.nonce);
    if (before) {
      this.#sendHello(hello.from, { nonce: before.replyNonce, answer: hello.nonce });
      return;
    }
    const own = this.#side(newNonce());
    const session = new SecureSession(shared, [sideOf(hello), own], false, hello.instance);
    if (peer.begun.size >= MAX_NEW) deleteOldest(peer.begun);
    peer.begun.set(session.id, { session, nonce: hello.nonce, replyNonce: own.nonce });
    this.#sendHello(hello.from, { nonce: own.nonce, answer: hello.nonce });
  }

  /** Takes a peer's reply to a hello. The peer is alive, because it has signed the nonce. */
  #receiveReply(peer: Peer, hello: Hello, shared: Buffer): void {
    if (peer.nonce === undefined || hello.answer !== peer.nonce) return;
    const session = new SecureSession(shared, [this.#side(peer.nonce), sideOf(hello)], true, hello.instance);
    this.#add(peer, session);
    // An empty message, which shows the peer that the session can be used.
    this.#handlers.send('control', hello.from, session.seal('control', new Uint8Array(0)));
    this.#ready(peer, session);
  }

  #side(nonce: string): SessionSide {
    return { name: this.#self.name, key: this.#ephemeral.publicKey, nonce };
  }

  #add({ open }: Peer, session: SecureSession): void {
    if (open.size >= MAX_OPEN) deleteOldest(open);
    open.set(session.id, session);
  }

  #ready(peer: Peer, session: SecureSession): void {
    peer.out = session;
    this.#forget(peer);
    const waiting = peer.waiting.splice(0);
    this.#waiting -= peer.waitingBytes;
    peer.waitingBytes = 0;
    for (const send of waiting) send(session);
  }

  #renew(name: string, peer: Peer): void {
    peer.out = undefined;
    this.ensureSession(name);
  }

  /** Stops waiting for a reply to a hello. */
  #forget(peer: Peer): void {
    clearInterval(peer.timer);
    peer.timer = undefined;
    peer.nonce = undefined;
  }

  #drop(peer: Peer): void {
    peer.waiting.length = 0;
    this.#waiting -= peer.waitingBytes;
    peer.waitingBytes = 0;
  }

  /** Tells a peer that its session is unknown here: it may not know that this node was restarted. */
  #sendNotice(from: string, id: string): void {
    const now = performance.now();
    if (now - (this.#notices.get(from) ?? Number.NEGATIVE_INFINITY) < NOTICE_MS) return;
    if (this.#notices.size >= MAX_PEERS) this.#notices.clear();
    this.#notices.set(from, now);
    this.#handlers.send('hello', from, Buffer.from(`${UNKNOWN}${hexOf(id)}`));
  }
}

/** Starts a notice that a session is unknown. It is not signed: at worst it causes a new session. */
const UNKNOWN = 'unknown ';

function hexOf(id: string): string {
  return Buffer.from(id, 'latin1').toString('hex');
}

function newNonce(): string {
  return randomBytes(16).toString('base64url');
}

function sideOf({ from, key, nonce }: Hello): SessionSide {
  return { name: from, key, nonce };
}

/** Limits the rate of hellos of a peer, because each costs signatures. */
function isWithin(peer: Peer): boolean {
  const now = performance.now();
  peer.hellos = Math.min(MAX_HELLOS, peer.hellos + ((now - peer.refilled) / 1000) * MAX_HELLOS);
  peer.refilled = now;
  if (peer.hellos < 1) return false;
  peer.hellos--;
  return true;
}

function readHello(text: string): Hello | undefined {
  try {
    const hello = JSON.parse(text) as Hello;
    const { from, to, key, nonce, instance, answer = '' } = hello;
    const all: readonly unknown[] = [from, to, key, nonce, instance, answer];
    return all.every((value) => typeof value === 'string' && value.length <= 1024) ? hello : undefined;
  } catch {
    return undefined;
  }
}
