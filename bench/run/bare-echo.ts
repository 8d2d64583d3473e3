// A bare round trip: so many bytes there and so many back between two processes that do nothing else, over a local socket
// or over the NATS client library. What a request costs beyond it is bedside's own.
import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect as natsConnect } from '@nats-io/transport-node';

interface Task {
  /** Path of a socket, or address of a NATS server. */
  readonly at: string;
  readonly isNats: boolean;
  readonly there: number;
  readonly back: number;
}

const [THERE, BACK] = ['bench.there', 'bench.back'];

// As the other process: reads so many bytes, writes so many.
if (process.argv[2] === 'echo') {
  process.once('message', (task: Task) => void (task.isNats ? echoOverNats(task) : echoOverSocket(task)));
  process.once('disconnect', () => process.exit());
}

function echoOverSocket({ at, there, back }: Task): void {
  const reply = Buffer.alloc(back);
  createServer((socket) => {
    let got = 0;
    socket.on('data', (chunk) => {
      for (got += chunk.length; got >= there; got -= there) socket.write(reply);
    });
  }).listen(at, () => process.send?.('ready'));
}

async function echoOverNats({ at, back }: Task): Promise<void> {
  const connection = await natsConnect({ servers: at });
  const reply = new Uint8Array(back);
  connection.subscribe(THERE, { callback: () => connection.publish(BACK, reply) });
  await connection.flush();
  process.send?.('ready');
}

/** Another process that answers. */
export interface BareEcho {
  /** One round trip. */
  once(): Promise<void>;
  close(): Promise<void>;
}

/** Starts the other process. @param server address of a NATS server; undefined: a local socket */
export async function openEcho(there: number, back: number, server: string | undefined): Promise<BareEcho> {
  const dir = await mkdtemp(join(tmpdir(), 'bedside-wire-'));
  const execArgv = ['--import', import.meta.resolve('tsx')];
  const child = fork(fileURLToPath(import.meta.url), ['echo'], { execArgv });
  const task: Task = { at: server ?? join(dir, 's'), isNats: server !== undefined, there, back };
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('exit', (status) => reject(new Error(`the echo exited with ${status}`)));
    child.send(task);
  });
  const own = task.isNats ? await overNats(task) : overSocket(task);
  const close = async (): Promise<void> => {
    child.removeAllListeners('exit');
    child.kill();
    await own.close();
    await rm(dir, { recursive: true, force: true });
  };
  return { once: own.once, close };
}

function overSocket({ at, there, back }: Task): BareEcho {
  const socket: Socket = connect(at);
  const data = Buffer.alloc(there);
  let [got, done] = [0, (): void => {}];
  socket.on('data', (chunk) => {
    got += chunk.length;
    if (got < back) return;
    got -= back;
    done();
  });
  const once = (): Promise<void> =>
    new Promise((resolve) => {
      done = resolve;
      socket.write(data);
    });
  return { once, close: async () => void socket.destroy() };
}

async function overNats({ at, there }: Task): Promise<BareEcho> {
  const connection = await natsConnect({ servers: at });
  const data = new Uint8Array(there);
  let done = (): void => {};
  connection.subscribe(BACK, { callback: () => done() });
  await connection.flush();
  const once = (): Promise<void> =>
    new Promise((resolve) => {
      done = resolve;
      connection.publish(THERE, data);
    });
  return { once, close: () => connection.close() };
}
