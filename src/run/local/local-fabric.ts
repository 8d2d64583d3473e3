// The fabric of one machine: local sockets in a folder that only this user may enter. Nodes may be in separate
// processes or in one. Nodes of one process that joined through the same object reach each other directly.
// docs/architecture.md says why workers are processes and not threads.

import { rm } from 'node:fs/promises';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { BedsideError, messageOf } from '../../util/index.ts';
import { sha256Of } from '../../util/internal.ts';
import {
  type Endpoint,
  type Fabric,
  HEARTBEAT_MS,
  type NodeHandlers,
  silenceMs,
} from '../protocol/fabric.ts';
import type { NodeMessage } from '../protocol/messages.ts';
import { encodeFrame, type Frame, FrameReader } from './frames.ts';
import { MAX_SOCKET_PATH } from './socket-folder.ts';

/** Number of nodes that a node sends heartbeats to. */
const MAX_WATCHERS = 1024;

/** Connects nodes of one machine. */
export class LocalFabric implements Fabric {
  readonly dir: string;
  readonly #inProcess = new Map<string, LocalEndpoint>();

  /** @param dir a folder that only this user may enter (mode 0700); nodes of one folder reach each other */
  constructor(dir: string) {
    this.dir = dir;
  }

  async join(name: string, handlers: NodeHandlers): Promise<Endpoint> {
    const endpoint = new LocalEndpoint(this.dir, name, handlers, this.#inProcess);
    await endpoint.listen();
    this.#inProcess.set(name, endpoint);
    return endpoint;
  }
}

interface Watched {
  /** Time of the last heartbeat (milliseconds), and whether the node counts as lost. */
  last: number;
  lost: boolean;
}

class LocalEndpoint implements Endpoint {
  readonly name: string;
  readonly #dir: string;
  readonly #handlers: NodeHandlers;
  /** Nodes of this process, by name. */
  readonly #inProcess: Map<string, LocalEndpoint>;
  readonly #server: Server;
  readonly #incoming = new Set<Socket>();
  /** For each node one connection for tensors and one for the rest, so that a tensor never delays a heartbeat. */
  readonly #outgoing = new Map<string, Socket>();
  readonly #watchers = new Set<string>();
  readonly #watched = new Map<string, Watched>();
  readonly #timer: NodeJS.Timeout;
  #lastTick = performance.now();
  #isLeaving = false;
  #closed = false;

  constructor(dir: string, name: string, handlers: NodeHandlers, inProcess: Map<string, LocalEndpoint>) {
    this.name = name;
    this.#inProcess = inProcess;
    this.#dir = dir;
    this.#handlers = handlers;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#timer = setInterval(() => this.#tick(), HEARTBEAT_MS);
    this.#timer.unref();
  }

  /**
   * Begins to accept connections.
   * @throws BedsideError E_FABRIC if the name is taken or the folder cannot hold sockets
   */
  async listen(): Promise<void> {
    assertShort(this.#dir);
    const path = pathOf(this.#dir, this.name);
    try {
      await listenAt(this.#server, path).catch(async (error: NodeJS.ErrnoException) => {
        // A node that was killed leaves its socket behind.
        if (error.code !== 'EADDRINUSE' || (await isAnswered(path))) throw error;
        await rm(path, { force: true });
        await listenAt(this.#server, path);
      });
    } catch (cause) {
      clearInterval(this.#timer);
      throw new BedsideError('E_FABRIC', `node '${this.name}' cannot join: ${messageOf(cause)}`, {
        hint: 'give every node a name of its own',
        cause,
      });
    }
  }

  send(to: string, message: NodeMessage): void {
    const near = this.#inProcess.get(to);
    if (this.#closed) return;
    if (near) queueMicrotask(() => near.#receive(this.name, message));
    else this.#post(to, message, message.kind === 'part' ? 'tensors' : 'rest');
  }

  watch(peer: string): void {
    if (this.#watched.has(peer)) return;
    const near = this.#inProcess.has(peer);
    // A node of this process lives as long as the process, unless it says otherwise.
    this.#watched.set(peer, { last: near ? Number.POSITIVE_INFINITY : performance.now(), lost: false });
    if (!near) this.#post(peer, { kind: 'watch' }, 'rest');
  }

  leave(why: string): void {
    this.#isLeaving = true;
    this.#watchers.clear();
    for (const near of this.#inProcess.values()) near.#lose(this.name, why);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#inProcess.delete(this.name);
    for (const near of this.#inProcess.values()) near.#lose(this.name, 'it was closed');
    clearInterval(this.#timer);
    // Messages that were sent before still go out.
    for (const socket of this.#outgoing.values()) socket.end();
    for (const socket of this.#incoming) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    let from: string | undefined;
    this.#incoming.add(socket);
    const reader = new FrameReader((frame) => {
      if (frame.kind === 'hello') from = frame.from;
      else if (from !== undefined) this.#receive(from, frame);
    });
    socket.on('data', (chunk) => {
      try {
        reader.push(chunk);
      } catch {
        // Not a message of bedside, or half of one: it is not used, and its sender counts as silent from now on.
        socket.destroy();
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#incoming.delete(socket));
  }

  #receive(from: string, frame: Exclude<Frame, { kind: 'hello' }>): void {
    if (this.#closed) return;
    this.#noteAlive(from, performance.now());
    if (frame.kind === 'watch')
      this.#isLeaving || this.#watchers.size >= MAX_WATCHERS || this.#watchers.add(from);
    else if (frame.kind !== 'beat') this.#handlers.message(from, frame);
  }

  #post(to: string, frame: Frame, kind: 'tensors' | 'rest'): void {
    if (this.#closed) return;
    const key = `${kind} ${to}`;
    let socket = this.#outgoing.get(key);
    if (!socket) {
      socket = dial(pathOf(this.#dir, to));
      const own = socket;
      const gone = (): void => {
        if (this.#outgoing.get(key) === own) this.#outgoing.delete(key);
        this.#watchers.delete(to);
        this.#lose(to, 'its connection ended');
      };
      socket.on('error', gone);
      socket.on('close', gone);
      socket.unref();
      this.#outgoing.set(key, socket);
      for (const piece of encodeFrame({ kind: 'hello', from: this.name })) socket.write(piece);
    }
    const [start, ...rest] = encodeFrame(frame);
    if (rest.length > 0) socket.cork();
    for (const piece of [start, ...rest]) if (piece) socket.write(piece);
    if (rest.length > 0) socket.uncork();
  }

  #tick(): void {
    const now = performance.now();
    // If this process itself stood still, heartbeats may have arrived that are not read so far.
    const late = now - this.#lastTick > 2 * HEARTBEAT_MS;
    this.#lastTick = now;
    const silence = silenceMs();
    for (const watcher of this.#watchers) this.#post(watcher, { kind: 'beat' }, 'rest');
    for (const [peer, watched] of this.#watched) {
      if (late) watched.last = Math.max(watched.last, now - silence + 2 * HEARTBEAT_MS);
      else if (now - watched.last > silence) this.#lose(peer, 'it sent no heartbeat');
      if (watched.lost) this.#checkReturn(peer);
    }
  }

  /** Checks whether a lost node is back. */
  #checkReturn(peer: string): void {
    const near = this.#inProcess.get(peer);
    if (near) {
      if (!near.#isLeaving) this.#noteAlive(peer, Number.POSITIVE_INFINITY);
    } else if (!this.#outgoing.has(`rest ${peer}`)) this.#post(peer, { kind: 'watch' }, 'rest');
  }

  #noteAlive(peer: string, last: number): void {
    const watched = this.#watched.get(peer);
    if (!watched || this.#closed) return;
    const { lost } = watched;
    watched.last = lost ? last : Math.max(watched.last, last);
    watched.lost = false;
    if (lost) this.#handlers.found?.(peer);
  }

  #lose(peer: string, why: string): void {
    const watched = this.#watched.get(peer);
    if (!watched || watched.lost || this.#closed) return;
    watched.lost = true;
    this.#handlers.lost(peer, why);
  }
}

function listenAt(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Whether somebody listens at a socket. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dial(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** @throws BedsideError E_FABRIC for a path that is too long; the system would only report an invalid argument */
function assertShort(dir: string): void {
  const bytes = Buffer.byteLength(pathOf(dir, ''));
  if (process.platform === 'win32' || bytes <= MAX_SOCKET_PATH) return;
  throw new BedsideError(
    'E_FABRIC',
    `${dir} is too long a path for sockets, by ${bytes - MAX_SOCKET_PATH} bytes`,
    {
      hint: 'choose a folder with a shorter path, for example in /tmp',
    },
  );
}

/** The path of a node's socket. Names are hashed, because socket paths must be short (104 bytes on macOS). */
function pathOf(dir: string, name: string): string {
  const short = sha256Of(name).slice(0, 12);
  return process.platform === 'win32' ? `\\\\.\\pipe\\${join(dir, short)}` : join(dir, short);
}
