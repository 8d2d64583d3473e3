// A node on a NATS server: tensors on a connection of their own, so that a flood of them never
// silences signs of life, which go with the rest. Core NATS carries each message at most once; what that means for a
// request when a connection is lost is told by `restored`.
import { randomBytes } from 'node:crypto';
import {
  errors,
  type Msg,
  type NatsConnection,
  type Status,
  type Subscription,
} from '@nats-io/transport-node';
import { BedsideError, messageOf } from '../../../util/index.ts';
import { type Endpoint, HEARTBEAT_MS, type NodeHandlers } from '../../protocol/fabric.ts';
import type { NodeMessage } from '../../protocol/messages.ts';
import { fromWire, toWire } from '../../protocol/wire.ts';
import { SEAL_BYTES, type SecureSession } from '../identity/session.ts';
import { SecureSessions } from '../identity/sessions.ts';
import type { SigningIdentity } from '../identity/statement.ts';
import { Assembler, type AssemblerOptions, encodeChunks, type MessageOwner } from './chunks.ts';
import { HeartbeatMonitor } from './heartbeat.ts';
import { decodeHeartbeat, encodeHeartbeat } from './heartbeat-codec.ts';
import { LinkProbes, type ProbeMessage } from './link-probes.ts';
import { isValidMessage } from './message-validation.ts';
import { isNameFree } from './name-check.ts';
import { limitNotes } from './note-limiter.ts';
import {
  addressOf,
  type Channel,
  heartbeatSubject,
  joinedSubject,
  messageSubject,
  nameCheckSubject,
  type SubjectChannel,
  senderOf,
  tokensOf,
} from './subjects.ts';

/** Milliseconds that who closes waits for those whom it has something to say to. */
const SETTLE_MS = 500;

/** Subjects that are kept. */
const MAX_SUBJECTS = 4096;

/** Senders of whom it is said once that what they send is dropped. */
const MAX_DROPPED = 64;

export interface NatsEndpointOptions extends AssemblerOptions {
  /** Told of what is no failure of anything: connections lost and found, messages given up. */
  readonly onNote?: ((text: string) => void) | undefined;
}

/** A node on a NATS server. */
export class NatsEndpoint implements Endpoint {
  readonly name: string;
  readonly probes: LinkProbes;
  readonly #tokens: string;
  readonly #connections: Readonly<Record<Channel, NatsConnection>>;
  readonly #handlers: NodeHandlers;
  readonly #here: Map<string, NatsEndpoint>;
  readonly #own: SigningIdentity | undefined;
  /** Undefined on an open server, where everybody is anybody. */
  readonly #keys: SecureSessions | undefined;
  readonly #onNote: (text: string) => void;
  readonly #watch: HeartbeatMonitor;
  readonly #assemblers: Readonly<Record<Channel, Assembler>>;
  readonly #down = new Set<Channel>();
  readonly #instance = randomBytes(6).toString('hex');
  readonly #subjects = new Map<string, string>();
  readonly #dropped = new Set<string>();
  #sessions = 0;
  #next = randomBytes(4).readUInt32LE();
  #timer: NodeJS.Timeout | undefined;
  #refused: Error | undefined;
  /** Why it goes. */
  #leaving: string | undefined;
  #closing = false;
  #closed = false;

  constructor(
    name: string,
    connections: Readonly<Record<Channel, NatsConnection>>,
    handlers: NodeHandlers,
    options: NatsEndpointOptions,
    { own, here }: { readonly own: SigningIdentity | undefined; readonly here: Map<string, NatsEndpoint> },
  ) {
    this.name = name;
    this.#own = own;
    this.#here = here;
    this.#tokens = tokensOf(addressOf(name));
    this.#connections = connections;
    this.#handlers = handlers;
    // Whoever sends what makes notes must not fill a log with them.
    this.#onNote = limitNotes(options.onNote ?? (() => {}));
    this.#watch = new HeartbeatMonitor({
      lost: (peer, why) => {
        if (!this.#closed) handlers.lost(peer, why);
      },
      found: (peer) => {
        if (!this.#closed) handlers.found?.(peer);
      },
      restored: (peers) => {
        if (!this.#closed) handlers.restored?.(peers);
      },
    });
    const assembler = (): Assembler =>
      new Assembler(
        {
          whole: (from, head, data) => this.#receive(from, head, data),
          givenUp: (from, owner, why) => this.#giveUp(from, owner, why),
        },
        options,
      );
    this.#assemblers = { control: assembler(), tensor: assembler() };
    this.#keys =
      own &&
      new SecureSessions(
        { name, own, instance: this.#instance },
        {
          carry: (what, to, bytes) => this.#publish('control', this.#subjectOf(what, to), bytes),
          onNote: this.#onNote,
        },
      );
    this.probes = new LinkProbes((to, probe) =>
      this.#post(to, probe, probe.kind === 'probe' ? 'tensor' : 'control'),
    );
  }

  /** The connection of what is no tensor. */
  get control(): NatsConnection {
    return this.#connections.control;
  }

  /** @throws BedsideError E_FABRIC when the server does not allow it */
  async listen(): Promise<void> {
    const { control } = this.#connections;
    for (const channel of ['control', 'tensor'] as const) {
      const connection = this.#connections[channel];
      void this.#follow(channel, connection);
      this.#subscribe(connection, messageSubject(channel, this.#tokens, '*.*'), ({ subject, data }) => {
        this.#take(channel, senderOf(subject), data);
      });
    }
    const keys = this.#keys;
    if (keys) {
      this.#subscribe(control, messageSubject('hello', this.#tokens, '*.*'), ({ subject, data }) => {
        keys.receiveHello(senderOf(subject), data);
      });
      this.#subscribe(control, joinedSubject('*.*'), ({ subject, data }) => {
        keys.noteInstance(senderOf(subject), Buffer.from(data).toString());
      });
    }
    // Nobody is answered: that somebody listens is the answer. Who begins to watch hears at once.
    this.#subscribe(control, nameCheckSubject(this.#tokens), () => this.#closed || this.#beat());
    await control.flush();
    await this.#connections.tensor.flush();
    // What the server refuses comes before the answer to a flush, and is told a moment later.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#refused) {
      throw new BedsideError('E_FABRIC', `node '${this.name}' may not join: ${this.#refused.message}`, {
        hint: 'use credentials of the role that the node has; docs/cluster.md',
        cause: this.#refused,
      });
    }
    if (keys) control.publish(joinedSubject(this.#tokens), this.#instance);
    this.#beat();
    this.#timer = setInterval(() => {
      this.#watch.tick();
      this.#beat();
      this.#check();
    }, HEARTBEAT_MS);
    this.#timer.unref();
  }

  send(to: string, message: NodeMessage): void {
    if (this.#closing) return;
    const near = this.#here.get(to);
    if (near) queueMicrotask(() => near.#deliver(this.name, message));
    else this.#post(to, message, message.kind === 'part' ? 'tensor' : 'control');
  }

  watch(peer: string): void {
    if (!this.#watch.add(peer) || this.#closed) return;
    const tokens = tokensOf(addressOf(peer));
    const { control } = this.#connections;
    this.#keys?.ensureSession(peer);
    this.#subscribe(control, heartbeatSubject(tokens), ({ data }) => {
      const beat = decodeHeartbeat(data, this.#own, { peer, instance: this.#keys?.instanceOf(peer) });
      if (!beat) return;
      this.#keys?.noteInstance(peer, beat.instance);
      this.#keys?.ensureSession(peer);
      this.#watch.heard(peer, beat);
    });
    isNameFree(control, tokens).then(
      (free) => free && this.#watch.lose(peer, 'nobody of that name is there'),
      // The server is away; silence will tell.
      () => {},
    );
  }

  leave(why: string): void {
    this.#leaving = why;
    this.#beat();
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    // What was sent before still goes out, to those who are there.
    await this.#keys?.whenSettled(SETTLE_MS);
    this.#closed = true;
    if (this.#here.get(this.name) === this) this.#here.delete(this.name);
    this.#leaving ??= 'it left';
    clearInterval(this.#timer);
    this.probes.close();
    this.#keys?.close();
    for (const channel of ['control', 'tensor'] as const) this.#assemblers[channel].clear();
    this.#beat();
    for (const connection of Object.values(this.#connections)) {
      const sent = this.#down.size > 0 ? Promise.resolve() : connection.flush().catch(() => {});
      await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
      await connection.close();
    }
  }

  #subscribe(connection: NatsConnection, subject: string, take: (msg: Msg) => void): Subscription {
    return connection.subscribe(subject, {
      callback: (error, msg) => {
        if (error) this.#refused ??= error;
        // Nothing that nodes say has headers.
        else if (!msg.headers) take(msg);
      },
    });
  }

  #post(to: string, message: NodeMessage | ProbeMessage, channel: Channel): void {
    // What cannot be sent now is lost: nothing waits in memory for a server to come back.
    if (this.#closed || this.#down.has(channel)) return;
    const owner = message.kind === 'part' ? ownerOf(message) : undefined;
    const wire = toWire(message);
    const send = (session?: SecureSession): void => {
      const most = this.#connections[channel].info?.max_payload ?? 1 << 20;
      const subject = this.#subjectOf(channel, to);
      this.#next = (this.#next + 1) >>> 0;
      for (const chunk of encodeChunks(this.#next, wire, owner, session ? most - SEAL_BYTES : most)) {
        this.#publish(channel, subject, session ? session.seal(channel, chunk) : chunk);
      }
    };
    if (this.#keys) this.#keys.withSession(to, wire.head.length + wire.body.length, send);
    else send();
  }

  #publish(channel: Channel, subject: string, bytes: Uint8Array): void {
    if (!this.#closed && !this.#down.has(channel)) this.#connections[channel].publish(subject, bytes);
  }

  #subjectOf(channel: SubjectChannel, to: string): string {
    const key = `${channel} ${to}`;
    let subject = this.#subjects.get(key);
    if (subject === undefined) {
      subject = messageSubject(channel, tokensOf(addressOf(to)), this.#tokens);
      // Made again when they are needed: names are as many as others make up.
      if (this.#subjects.size >= MAX_SUBJECTS) this.#subjects.clear();
      this.#subjects.set(key, subject);
    }
    return subject;
  }

  #take(channel: Channel, from: string, data: Uint8Array): void {
    if (this.#closed) return;
    if (!this.#keys) {
      this.#assemblers[channel].take(from, data);
      return;
    }
    const payload = this.#keys.open(from, channel, Buffer.from(data.buffer, data.byteOffset, data.length));
    if (payload && payload.length > 0) this.#assemblers[channel].take(from, payload);
    if (payload || this.#dropped.has(from) || this.#dropped.size >= MAX_DROPPED) return;
    this.#dropped.add(from);
    this.#onNote(`what comes as from '${from}' without its seal, or comes again, is dropped`);
  }

  #receive(from: string, head: Buffer, data: Float32Array): void {
    let message: NodeMessage | ProbeMessage;
    try {
      message = fromWire<NodeMessage | ProbeMessage>(head, data);
    } catch {
      this.#onNote(`what came from '${from}' is no message`);
      return;
    }
    if (message.kind === 'probe' || message.kind === 'echo') {
      this.probes.receive(from, message);
      return;
    }
    this.#deliver(from, message);
  }

  #deliver(from: string, message: NodeMessage): void {
    if (this.#closed) return;
    if (!isValidMessage(from, message)) {
      this.#onNote(`'${from}' may not say '${String(message.kind)}', or says it wrongly; it changes nothing`);
      return;
    }
    try {
      this.#handlers.message(from, message);
    } catch (error) {
      // Whoever sent it, the node goes on.
      this.#onNote(`what '${from}' sent cannot be used: ${messageOf(error)}`);
    }
  }

  /** Part of a message never came: the request ends with an error, wherever it is waited for. */
  #giveUp(from: string, owner: MessageOwner | undefined, why: string): void {
    this.#onNote(`a message from '${from}' is given up: ${why}`);
    if (!owner || this.#closed) return;
    const { request, epoch, requester } = owner;
    const failed: NodeMessage = {
      kind: 'failed',
      ...{ request, epoch },
      error: {
        code: 'E_FABRIC',
        message: `a tensor from '${from}' did not come whole to '${this.name}': ${why}`,
        hint: 'ask again; if it comes back, the network or max_pending of the NATS server is too small',
      },
    };
    if (requester === this.name) this.#handlers.message(from, failed);
    else this.send(requester, failed);
  }

  #beat(): void {
    if (this.#down.has('control')) return;
    const life = { name: this.name, instance: this.#instance, connections: this.#sessions };
    this.#connections.control.publish(
      heartbeatSubject(this.#tokens),
      encodeHeartbeat(life, this.#leaving, this.#own),
    );
  }

  /** Who is silent is known when the server answers: a way to it that swallows all looks like the silence of everybody. */
  #check(): void {
    if (this.#down.has('control')) return;
    const asked = performance.now();
    this.#connections.control.flush().then(
      () => this.#closed || this.#watch.check(asked),
      // The connection is lost, which is told by its status.
      () => {},
    );
  }

  async #follow(channel: Channel, connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) this.#changed(channel, status);
  }

  #changed(channel: Channel, status: Status): void {
    if (this.#closed) return;
    if (status.type === 'disconnect') {
      if (this.#down.size === 0) this.#onNote('the connection to the NATS server is lost; coming back');
      this.#down.add(channel);
      this.#watch.unreachable();
      // The rest of what was half there will not come.
      this.#assemblers[channel].clear();
    }
    if (status.type === 'reconnect') {
      this.#down.delete(channel);
      this.#sessions++;
      // Others may have begun another life meanwhile.
      this.#keys?.renewAll();
      if (this.#down.size > 0) return;
      this.#onNote('the NATS server is there again');
      this.#beat();
      this.#watch.reachable();
    }
    if (status.type === 'error' && status.error instanceof errors.PermissionViolationError) {
      this.#onNote(`the NATS server refuses: ${status.error.message}`);
    }
  }
}

function ownerOf({ request, epoch, requester, remaining }: MessageOwner): MessageOwner {
  return { request, epoch, requester, remaining };
}
