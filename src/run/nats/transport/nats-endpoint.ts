// A node on a NATS server. Tensors have a connection of their own, so that many of them never delay the heartbeats,
// which go over the other one. Core NATS delivers each message at most once; `restored` reports that messages may have
// been lost.
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
import { Assembler, type AssemblerOptions, encodeChunks, type MessageOwner, messageOwner } from './chunks.ts';
import { HeartbeatMonitor } from './heartbeat.ts';
import { decodeHeartbeat, encodeHeartbeat } from './heartbeat-codec.ts';
import { LinkProbes, type ProbeMessage } from './link-probes.ts';
import { isValidMessage } from './message-validation.ts';
import { isAnswered, isNameFree } from './name-check.ts';
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

/** Milliseconds that closing waits for secure sessions that outgoing messages need. */
const SETTLE_MS = 500;

/** Number of subjects that are remembered. */
const MAX_SUBJECTS = 4096;

/** Number of senders for whom a note about dropped messages is given, once each. */
const MAX_DROPPED = 64;

/** Options of a node. */
export interface NatsEndpointOptions extends AssemblerOptions {
  /** Called with events that are not errors: connections lost and restored, messages given up. */
  readonly onNote?: ((text: string) => void) | undefined;
}

/** A node on a NATS server. */
export class NatsEndpoint implements Endpoint {
  readonly name: string;
  readonly probes: LinkProbes;
  readonly #tokens: string;
  readonly #connections: Readonly<Record<Channel, NatsConnection>>;
  readonly #handlers: NodeHandlers;
  readonly #inProcess: Map<string, NatsEndpoint>;
  readonly #own: SigningIdentity | undefined;
  /** Undefined on an open server, where nodes have no keys. */
  readonly #secure: SecureSessions | undefined;
  readonly #onNote: (text: string) => void;
  readonly #watch: HeartbeatMonitor;
  readonly #assemblers: Readonly<Record<Channel, Assembler>>;
  readonly #down = new Set<Channel>();
  readonly #instance = randomBytes(6).toString('hex');
  readonly #subjects = new Map<string, string>();
  readonly #dropped = new Set<string>();
  /** How often a connection has come back. */
  #reconnects = 0;
  #nextMessage = randomBytes(4).readUInt32LE();
  #timer: NodeJS.Timeout | undefined;
  #refused: Error | undefined;
  /** The server refuses the credentials of a node that it let in before. */
  #isShutOut = false;
  /** Reason for leaving, once the node leaves. */
  #leaving: string | undefined;
  #closing = false;
  #closed = false;

  constructor(
    name: string,
    connections: Readonly<Record<Channel, NatsConnection>>,
    handlers: NodeHandlers,
    options: NatsEndpointOptions,
    {
      own,
      inProcess,
    }: { readonly own: SigningIdentity | undefined; readonly inProcess: Map<string, NatsEndpoint> },
  ) {
    this.name = name;
    this.#own = own;
    this.#inProcess = inProcess;
    this.#tokens = tokensOf(addressOf(name));
    this.#connections = connections;
    this.#handlers = handlers;
    // Other nodes must not be able to fill a log with notes.
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
    this.#secure =
      own &&
      new SecureSessions(
        { name, own, instance: this.#instance },
        {
          send: (what, to, bytes) => this.#publish('control', this.#subjectOf(what, to), bytes),
          onNote: this.#onNote,
        },
      );
    this.probes = new LinkProbes((to, probe) =>
      this.#post(to, probe, probe.kind === 'probe' ? 'tensor' : 'control'),
    );
  }

  /** The connection for all but tensors. */
  get control(): NatsConnection {
    return this.#connections.control;
  }

  /** Subscribes and starts the heartbeat. @throws BedsideError E_FABRIC if the server does not allow it */
  async listen(): Promise<void> {
    const { control } = this.#connections;
    for (const channel of ['control', 'tensor'] as const) {
      const connection = this.#connections[channel];
      void this.#follow(channel, connection);
      this.#subscribe(connection, messageSubject(channel, this.#tokens, '*.*'), ({ subject, data }) => {
        this.#take(channel, senderOf(subject), data);
      });
    }
    const secure = this.#secure;
    if (secure) {
      this.#subscribe(control, messageSubject('hello', this.#tokens, '*.*'), ({ subject, data }) => {
        secure.receiveHello(senderOf(subject), data);
      });
      this.#subscribe(control, joinedSubject('*.*'), ({ subject, data }) => {
        secure.noteInstance(senderOf(subject), Buffer.from(data).toString());
      });
    }
    // No reply is needed, as the server reports that there is a subscriber. A new watcher gets a heartbeat at once.
    this.#subscribe(control, nameCheckSubject(this.#tokens), () => this.#closed || this.#sendHeartbeat());
    await control.flush();
    await this.#connections.tensor.flush();
    // Refusals of the server arrive before its reply to a flush, and are handled a moment later.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#refused) {
      throw new BedsideError('E_FABRIC', `node '${this.name}' may not join: ${this.#refused.message}`, {
        hint: 'use credentials for the role of the node; see docs/cluster.md',
        cause: this.#refused,
      });
    }
    if (secure) control.publish(joinedSubject(this.#tokens), this.#instance);
    this.#sendHeartbeat();
    this.#timer = setInterval(() => {
      this.#watch.tick();
      this.#sendHeartbeat();
      void this.#check();
    }, HEARTBEAT_MS);
    this.#timer.unref();
  }

  send(to: string, message: NodeMessage): void {
    if (this.#closing) return;
    const near = this.#inProcess.get(to);
    if (near) queueMicrotask(() => near.#deliver(this.name, message));
    else this.#post(to, message, message.kind === 'part' ? 'tensor' : 'control');
  }

  watch(peer: string): void {
    if (!this.#watch.add(peer) || this.#closed) return;
    const tokens = tokensOf(addressOf(peer));
    const { control } = this.#connections;
    this.#secure?.ensureSession(peer);
    this.#subscribe(control, heartbeatSubject(tokens), ({ data }) => {
      const beat = decodeHeartbeat(data, this.#own, { peer, instance: this.#secure?.instanceOf(peer) });
      if (!beat) return;
      this.#secure?.noteInstance(peer, beat.instance);
      this.#secure?.ensureSession(peer);
      this.#watch.heard(peer, beat);
    });
    isNameFree(control, tokens).then(
      (free) => free && this.#watch.lose(peer, 'nobody of that name is there'),
      // The server is away; silence will show whether the peer is lost.
      () => {},
    );
  }

  leave(why: string): void {
    this.#leaving = why;
    this.#sendHeartbeat();
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    // Messages that were sent before still go out to peers that are there.
    await this.#secure?.whenSettled(SETTLE_MS);
    this.#closed = true;
    if (this.#inProcess.get(this.name) === this) this.#inProcess.delete(this.name);
    this.#leaving ??= 'it left';
    clearInterval(this.#timer);
    this.probes.close();
    this.#secure?.close();
    for (const channel of ['control', 'tensor'] as const) this.#assemblers[channel].clear();
    this.#sendHeartbeat();
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
        // Messages of nodes have no headers.
        else if (!msg.headers) take(msg);
      },
    });
  }

  #post(to: string, message: NodeMessage | ProbeMessage, channel: Channel): void {
    // A message that cannot be sent now is lost: nothing waits in memory for the server to come back.
    if (this.#closed || this.#down.has(channel)) return;
    const owner = message.kind === 'part' ? messageOwner(message) : undefined;
    const wire = toWire(message);
    const send = (session?: SecureSession): void => {
      const most = this.#connections[channel].info?.max_payload ?? 1 << 20;
      const subject = this.#subjectOf(channel, to);
      this.#nextMessage = (this.#nextMessage + 1) >>> 0;
      for (const chunk of encodeChunks(this.#nextMessage, wire, owner, session ? most - SEAL_BYTES : most)) {
        this.#publish(channel, subject, session ? session.seal(channel, chunk) : chunk);
      }
    };
    if (this.#secure) this.#secure.withSession(to, wire.head.length + wire.body.length, send);
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
      // Bounded, because other nodes can invent any number of names.
      if (this.#subjects.size >= MAX_SUBJECTS) this.#subjects.clear();
      this.#subjects.set(key, subject);
    }
    return subject;
  }

  #take(channel: Channel, from: string, data: Uint8Array): void {
    if (this.#closed) return;
    if (!this.#secure) {
      this.#assemblers[channel].take(from, data);
      return;
    }
    const payload = this.#secure.open(from, channel, Buffer.from(data.buffer, data.byteOffset, data.length));
    if (payload && payload.length > 0) this.#assemblers[channel].take(from, payload);
    if (payload || this.#dropped.has(from) || this.#dropped.size >= MAX_DROPPED) return;
    this.#dropped.add(from);
    this.#onNote(`messages in the name of '${from}' that are not sealed, or are replayed, are dropped`);
  }

  #receive(from: string, head: Buffer, data: Float32Array): void {
    let message: NodeMessage | ProbeMessage;
    try {
      message = fromWire<NodeMessage | ProbeMessage>(head, data);
    } catch {
      this.#onNote(`a malformed message from '${from}' is ignored`);
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
      const kind = typeof message.kind === 'string' ? message.kind.slice(0, 40) : 'a message without a kind';
      this.#onNote(`'${from}' may not send '${kind}', or sent it malformed; it is ignored`);
      return;
    }
    try {
      this.#handlers.message(from, message);
    } catch (error) {
      // No message may stop the node.
      this.#onNote(`a message from '${from}' cannot be used: ${messageOf(error)}`);
    }
  }

  /** A message was incomplete: its request fails at its requester. */
  #giveUp(from: string, owner: MessageOwner | undefined, why: string): void {
    this.#onNote(`a message from '${from}' is given up: ${why}`);
    if (!owner || this.#closed) return;
    const { request, epoch, requester } = owner;
    const failed: NodeMessage = {
      kind: 'failed',
      ...{ request, epoch },
      error: {
        code: 'E_FABRIC',
        message: `a tensor from '${from}' did not reach '${this.name}' completely: ${why}`,
        hint: 'try again; if it recurs, the network is too slow or max_pending of the NATS server too small',
      },
    };
    if (requester === this.name) this.#handlers.message(from, failed);
    else this.send(requester, failed);
  }

  #sendHeartbeat(): void {
    // Without its connection for tensors a node is not there; that it goes it says all the same.
    if (this.#down.has('control') || (this.#down.size > 0 && this.#leaving === undefined)) return;
    const node = { name: this.name, instance: this.#instance, connections: this.#reconnects };
    this.#connections.control.publish(
      heartbeatSubject(this.#tokens),
      encodeHeartbeat(node, this.#leaving, this.#own),
    );
  }

  /**
   * Silent peers are looked for after the server has replied: a broken way to the server looks like silence of
   * everybody.
   */
  async #check(): Promise<void> {
    if (this.#down.has('control')) return;
    const asked = performance.now();
    // A connection that is lost meanwhile says so by its status.
    if ((await isAnswered(this.#connections.control)) && !this.#closed) this.#watch.check(asked);
  }

  async #follow(channel: Channel, connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) this.#changed(channel, status);
  }

  async #comeBack(channel: Channel): Promise<void> {
    // The server has the subscriptions again when it replies; a connection that is lost before says so.
    if (!(await isAnswered(this.#connections[channel])) || this.#closed) return;
    this.#down.delete(channel);
    this.#reconnects++;
    // Peers may have been restarted meanwhile.
    this.#secure?.renewAll();
    if (this.#down.size > 0) return;
    this.#onNote('the connection to the NATS server is restored');
    this.#sendHeartbeat();
    this.#watch.reachable();
  }

  #changed(channel: Channel, status: Status): void {
    if (this.#closed) return;
    if (status.type === 'disconnect') {
      if (this.#down.size === 0) this.#onNote('the connection to the NATS server is lost; reconnecting');
      this.#down.add(channel);
      this.#watch.unreachable();
      // The rest of incomplete messages will not come.
      this.#assemblers[channel].clear();
    }
    if (status.type === 'reconnect') {
      this.#isShutOut = false;
      void this.#comeBack(channel);
    }
    if (status.type !== 'error') return;
    if (status.error instanceof errors.PermissionViolationError) {
      this.#onNote(`the NATS server refuses: ${status.error.message}`);
    }
    // Said once a loss: a key may have been withdrawn, and may be given back.
    if (status.error instanceof errors.AuthorizationError && !this.#isShutOut) {
      this.#isShutOut = true;
      this.#onNote('the NATS server refuses these credentials; trying again until it lets them in');
    }
  }
}
