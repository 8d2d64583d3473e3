// A bare round trip: so many bytes there and so many back between two processes, over a local socket or over the NATS
// client library. Either they do nothing else, or the other one computes stages in between: the least that a request can
// take, since both processes go to sleep and wake up. What a request costs beyond that is bedside's own.
import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect as natsConnect } from '@nats-io/transport-node';
import { openBundle } from '../../src/bundle/index.ts';
import { tensor } from '../../src/engine/index.ts';
import type { RunPlan } from '../../src/run/index.ts';
import { Device } from '../../src/run/internal.ts';

/** Stages that the other process computes, from the first one on this device to the last. */
export interface Computed {
  /** Folder of the bundle. */
  readonly bundle: string;
  readonly plan: RunPlan;
  readonly device: string;
}

interface Task {
  /** Path of a socket, or address of a NATS server. */
  readonly at: string;
  /** Begins the subjects of this echo alone: others are on the same server. */
  readonly subject: string;
  readonly isNats: boolean;
  readonly there: number;
  readonly back: number;
  readonly computed: Computed | undefined;
}

/** The reply to so many bytes. */
type Reply = (data: Uint8Array) => Promise<Uint8Array>;

// As the other process: reads so many bytes, writes so many.
if (process.argv[2] === 'echo') {
  process.once('message', (task: Task) => void answer(task));
  process.once('disconnect', () => process.exit());
}

async function answer(task: Task): Promise<void> {
  const bytes = new Uint8Array(task.back);
  const reply = task.computed ? await computing(task.computed) : undefined;
  if (task.isNats) await echoOverNats(task, bytes, reply);
  else echoOverSocket(task, bytes, reply);
}

async function computing({ bundle: dir, plan, device: name }: Computed): Promise<Reply> {
  const bundle = await openBundle(dir);
  const device = new Device({ name }, [bundle]);
  await device.warm(bundle.sha256, plan);
  const stage = plan.stages.findIndex(({ segments }) => segments[0]?.device === name);
  const dims = device.stages(bundle.sha256).inputShape(stage, plan.levels);
  const piece = { bundle: bundle.sha256, plan, stage, segment: 0 };
  return async (data) => {
    const { output } = await device.run(
      'bench',
      piece,
      tensor(new Float32Array(new Uint8Array(data).buffer), dims),
    );
    return new Uint8Array(output.data.buffer, output.data.byteOffset, output.data.byteLength);
  };
}

function echoOverSocket({ at, there }: Task, bytes: Uint8Array, reply: Reply | undefined): void {
  const data = new Uint8Array(there);
  createServer((socket) => {
    let got = 0;
    socket.on('data', (chunk) => {
      // One message at a time: the asking process waits for each.
      data.set(chunk, got);
      got += chunk.length;
      if (got < there) return;
      got = 0;
      if (reply) void reply(data).then((result) => socket.write(result));
      else socket.write(bytes);
    });
  }).listen(at, () => process.send?.('ready'));
}

async function echoOverNats(
  { at, subject }: Task,
  bytes: Uint8Array,
  reply: Reply | undefined,
): Promise<void> {
  const connection = await natsConnect({ servers: at });
  const callback = (_: unknown, { data }: { data: Uint8Array }): void => {
    if (reply) void reply(data).then((result) => connection.publish(`${subject}.back`, result));
    else connection.publish(`${subject}.back`, bytes);
  };
  connection.subscribe(`${subject}.there`, { callback });
  await connection.flush();
  process.send?.('ready');
}

/** Another process that answers. */
export interface BareEcho {
  /** One round trip. @param data what is sent; default: zeros */
  once(data?: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts the other process.
 * @param server address of a NATS server; undefined: a local socket
 * @param computed what it computes before it answers; undefined: nothing
 */
export async function openEcho(
  [there, back]: readonly [number, number],
  server: string | undefined,
  computed?: Computed,
): Promise<BareEcho> {
  const dir = await mkdtemp(join(tmpdir(), 'bedside-wire-'));
  const execArgv = ['--import', import.meta.resolve('tsx')];
  const child = fork(fileURLToPath(import.meta.url), ['echo'], { execArgv });
  const at = server ?? join(dir, 's');
  const subject = `bench.${basename(dir)}`;
  const task: Task = { at, subject, isNats: server !== undefined, there, back, computed };
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
  const zeros = Buffer.alloc(there);
  let [got, done] = [0, (): void => {}];
  socket.on('data', (chunk) => {
    got += chunk.length;
    if (got < back) return;
    got -= back;
    done();
  });
  const once = (data: Uint8Array = zeros): Promise<void> =>
    new Promise((resolve) => {
      done = resolve;
      socket.write(data);
    });
  return { once, close: async () => void socket.destroy() };
}

async function overNats({ at, subject, there }: Task): Promise<BareEcho> {
  const connection = await natsConnect({ servers: at });
  const zeros = new Uint8Array(there);
  let done = (): void => {};
  connection.subscribe(`${subject}.back`, { callback: () => done() });
  await connection.flush();
  const once = (data: Uint8Array = zeros): Promise<void> =>
    new Promise((resolve) => {
      done = resolve;
      connection.publish(`${subject}.there`, data);
    });
  return { once, close: () => connection.close() };
}
