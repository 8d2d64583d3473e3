// A proxy in front of a server that can be cut like a cable: nothing comes through, and no connection is closed.
import { createServer, connect as dial, type Server, type Socket } from 'node:net';

/** A proxy on this machine. `await using` ends it. */
export class LeakyProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cut = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(target: number): Promise<LeakyProxy> {
    const server = createServer();
    const proxy = new LeakyProxy(server);
    server.on('connection', (socket) => proxy.#accept(socket, target));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  cut(): void {
    this.#cut = true;
  }

  /** Closes the old connections; data on its way is lost. New connections work again. */
  mend(): void {
    this.#cut = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket, target: number): void {
    const other = dial(target, '127.0.0.1');
    for (const [from, to] of [
      [socket, other],
      [other, socket],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (chunk) => {
        if (!this.#cut) to.write(chunk);
      });
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        if (!this.#cut) to.destroy();
      });
    }
  }
}
