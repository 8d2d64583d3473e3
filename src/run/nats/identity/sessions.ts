// A node's sessions with others. Who has something to say to a peer that he has no session with says hello, signed, and waits
// for the answer; so both know each other by their certificates, and that the other lives now. What is not sealed in a session
// is not opened, and what was said in the life of a node before its present one cannot be.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Channel } from '../transport/subjects.ts';
import { EphemeralKey, SecureSession, type SessionSide, sessionIdOf } from './session.ts';
import { type SigningIdentity, signStatement, verifyStatement } from './statement.ts';

/** Milliseconds between hellos without an answer, and after which what waits for one is lost. */
const AGAIN_MS = 250;
const PATIENCE_MS = 5000;

/** Hellos of one peer that are read at once, and each second. */
const MAX_HELLOS = 10;

const MAX_HELLO_BYTES = 4096;

/** Bytes that may wait for sessions, of all peers. */
const MAX_WAITING = 256e6;

/** Peers that are known; sessions with one of them that are open, and that are not used yet. */
const MAX_PEERS = 1024;
const MAX_OPEN = 3;
const MAX_NEW = 2;

/** Milliseconds between two words to one peer that it seals in a session that is not known here. */
const DOUBT_MS = 200;

/** Something that waits for a session. */
type Waiting = (session: SecureSession) => void;

interface Peer {
  /** For what is sent. */
  out: SecureSession | undefined;
  /** By name, the oldest first. */
  readonly open: Map<string, SecureSession>;
  /** Sessions that the peer began, and has sealed nothing in yet. */
  readonly begun: Map<string, Begun>;
  readonly waiting: Waiting[];
  waitingBytes: number;
  /** Of the hello that waits for an answer; said again, it has the same. */
  nonce: string | undefined;
  since: number;
  timer: NodeJS.Timeout | undefined;
  hellos: number;
  refilled: number;
}

interface Begun {
  readonly session: SecureSession;
  /** Of the hello that began it, and of the answer. */
  readonly nonce: string;
  readonly answered: string;
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

/** Who a node is. */
export interface LocalNode {
  readonly name: string;
  /** Which life of it this is. */
  readonly instance: string;
  readonly own: SigningIdentity;
}

export interface SecureSessionsHandlers {
  /** Carries a hello, or what was sealed on the channel of what is no tensor, to a peer. */
  readonly carry: (what: 'hello' | 'control', to: string, bytes: Uint8Array) => void;
  readonly onNote: (text: string) => void;
}

export class SecureSessions {
  readonly #self: LocalNode;
  readonly #handlers: SecureSessionsHandlers;
  readonly #ephemeral = new EphemeralKey();
  readonly #peers = new Map<string, Peer>();
  readonly #doubted = new Map<string, number>();
  #waiting = 0;
  #closed = false;

  constructor(self: LocalNode, handlers: SecureSessionsHandlers) {
    this.#self = self;
    this.#handlers = handlers;
  }

  /**
   * Calls `send` with a session: at once, or when there is one; never for a peer that does not answer.
   * @param bytes that wait meanwhile
   */
  withSession(to: string, bytes: number, send: Waiting): void {
    if (this.#closed) return;
    const peer = this.#peer(to);
    if (peer.out) {
      send(peer.out);
      return;
    }
    if (this.#waiting + bytes > MAX_WAITING) {
      this.#handlers.onNote(`too much waits for '${to}' and others to answer; what is sent is lost`);
      return;
    }
    peer.waiting.push(send);
    peer.waitingBytes += bytes;
    this.#waiting += bytes;
    this.ensureSession(to);
  }

  /** Makes a session, if there is none. */
  ensureSession(to: string): void {
    const peer = this.#peer(to);
    if (this.#closed || peer.out || peer.nonce !== undefined) return;
    peer.since = performance.now();
    this.#sayHello(to, peer);
  }

  /** What a peer has sealed; undefined for what it has not, or has said before. */
  open(from: string, channel: Channel, sealed: Buffer): Buffer | undefined {
    const peer = this.#peers.get(from);
    const id = sessionIdOf(sealed);
    const session = peer?.open.get(id) ?? peer?.begun.get(id)?.session;
    if (!peer || !session) {
      this.#doubt(from, id);
      return undefined;
    }
    const payload = session.open(channel, sealed);
    if (payload && peer.begun.delete(id)) {
      // It lives: who only repeats a hello cannot seal anything.
      this.#add(peer, session);
      this.#ready(peer, session);
    }
    return payload;
  }

  /** What came on the subject of hellos. */
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
        `'${from}' is not known by its hello: it has no certificate of this cluster for that name`,
      );
      return;
    }
    const shared = this.#ephemeral.share(hello.key);
    if (!shared) return;
    const peer = this.#peer(from);
    if (hello.answer === undefined) this.#answer(peer, hello, shared);
    else this.#answered(peer, hello, shared);
  }

  /** Whether a peer has another life than that which sessions are with is asked before anything else is said to it. */
  noteInstance(name: string, instance: string): void {
    const peer = this.#peers.get(name);
    if (peer?.out && peer.out.instance !== instance) this.#renew(name, peer);
  }

  /** Something may have been lost between this node and all others. */
  renewAll(): void {
    for (const [name, peer] of this.#peers) {
      peer.out = undefined;
      this.#forget(peer);
      if (peer.waiting.length > 0) this.ensureSession(name);
    }
  }

  /** Which life of a peer the last session is with. */
  instanceOf(name: string): string | undefined {
    const peer = this.#peers.get(name);
    return peer?.out?.instance ?? [...(peer?.open.values() ?? [])].at(-1)?.instance;
  }

  /** Waits until nothing waits, or for so many milliseconds. */
  async whenSettled(most: number): Promise<void> {
    const end = performance.now() + most;
    while ([...this.#peers.values()].some(({ waiting }) => waiting.length > 0)) {
      if (performance.now() > end) return;
      await sleep(5);
    }
  }

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

  /** The one that is known for longest and that nothing waits for; should it be there, it says hello again. */
  #evict(): void {
    for (const [name, peer] of this.#peers) {
      if (peer.waiting.length > 0) continue;
      this.#forget(peer);
      this.#peers.delete(name);
      return;
    }
  }

  #sayHello(to: string, peer: Peer): void {
    const nonce = newNonce();
    peer.nonce = nonce;
    this.#state(to, { nonce });
    peer.timer = setInterval(() => {
      if (performance.now() - peer.since > PATIENCE_MS) {
        this.#drop(peer);
        this.#forget(peer);
      } else if (peer.waiting.length > 0) this.#state(to, { nonce });
    }, AGAIN_MS);
    peer.timer.unref();
  }

  #state(to: string, { nonce, answer }: { readonly nonce: string; readonly answer?: string }): void {
    const { name, instance, own } = this.#self;
    const said: Hello = {
      ...{ from: name, to, key: this.#ephemeral.publicKey, nonce, instance },
      ...(answer === undefined ? {} : { answer }),
    };
    this.#handlers.carry('hello', to, Buffer.from(signStatement(own, 'hello', JSON.stringify(said))));
  }

  /** A peer begins. */
  #answer(peer: Peer, hello: Hello, shared: Buffer): void {
    // Said again because the answer was late: it is the same session.
    const before = [...peer.begun.values()].find(({ nonce }) => nonce === hello.nonce);
    if (before) {
      this.#state(hello.from, { nonce: before.answered, answer: hello.nonce });
      return;
    }
    const own = this.#side(newNonce());
    const session = new SecureSession(shared, [sideOf(hello), own], false, hello.instance);
    if (peer.begun.size >= MAX_NEW) peer.begun.delete(firstOf(peer.begun));
    peer.begun.set(session.id, { session, nonce: hello.nonce, answered: own.nonce });
    this.#state(hello.from, { nonce: own.nonce, answer: hello.nonce });
  }

  /** A peer answers: it lives, as it has signed the nonce. */
  #answered(peer: Peer, hello: Hello, shared: Buffer): void {
    if (peer.nonce === undefined || hello.answer !== peer.nonce) return;
    const session = new SecureSession(shared, [this.#side(peer.nonce), sideOf(hello)], true, hello.instance);
    this.#add(peer, session);
    // Nothing is said in it, so that the peer may use it too.
    this.#handlers.carry('control', hello.from, session.seal('control', new Uint8Array(0)));
    this.#ready(peer, session);
  }

  #side(nonce: string): SessionSide {
    return { name: this.#self.name, key: this.#ephemeral.publicKey, nonce };
  }

  #add({ open }: Peer, session: SecureSession): void {
    if (open.size >= MAX_OPEN) open.delete(firstOf(open));
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

  /** The hello that waits. */
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

  /** Who seals in a session that is not known here may not know that this is another life. */
  #doubt(from: string, id: string): void {
    const now = performance.now();
    if (now - (this.#doubted.get(from) ?? Number.NEGATIVE_INFINITY) < DOUBT_MS) return;
    if (this.#doubted.size >= MAX_PEERS) this.#doubted.clear();
    this.#doubted.set(from, now);
    this.#handlers.carry('hello', from, Buffer.from(`${UNKNOWN}${hexOf(id)}`));
  }
}

/** Said of a session, unsigned: at worst it makes another. */
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

function firstOf(map: ReadonlyMap<string, unknown>): string {
  for (const key of map.keys()) return key;
  return '';
}

/** Whether a peer says hello no oftener than it may: each costs signatures. */
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
