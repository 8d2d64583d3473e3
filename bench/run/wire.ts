// What a socket takes for so many bytes there and so many back, to a process that does nothing else.
import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from '../../src/util/index.ts';

interface Task {
  readonly path: string;
  readonly there: number;
  readonly back: number;
}

const TIMES = 200;

// As the other process: reads so many bytes, writes so many.
if (process.argv[2] === 'echo') {
  process.once('message', ({ path, there, back }: Task) => {
    const reply = Buffer.alloc(back);
    createServer((socket) => {
      let got = 0;
      socket.on('data', (chunk) => {
        for (got += chunk.length; got >= there; got -= there) socket.write(reply);
      });
    }).listen(path, () => process.send?.('ready'));
  });
}

/** Median seconds of a round trip over a local socket between two processes. */
export async function wireSeconds(there: number, back: number): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'bedside-wire-'));
  const path = join(dir, 's');
  const execArgv = ['--import', import.meta.resolve('tsx')];
  const child = fork(fileURLToPath(import.meta.url), ['echo'], { execArgv });
  try {
    await new Promise<void>((resolve) => {
      child.once('message', () => resolve());
      child.send({ path, there, back } satisfies Task);
    });
    const socket = connect(path);
    const data = Buffer.alloc(there);
    const seconds: number[] = [];
    for (let at = 0; at < 2 * TIMES; at++) {
      const start = performance.now();
      socket.write(data);
      await received(socket, back);
      if (at >= TIMES) seconds.push((performance.now() - start) / 1000);
    }
    socket.destroy();
    return median(seconds);
  } finally {
    child.kill();
    await rm(dir, { recursive: true, force: true });
  }
}

function received(socket: Socket, count: number): Promise<void> {
  return new Promise((resolve) => {
    let got = 0;
    const take = (chunk: Buffer): void => {
      got += chunk.length;
      if (got < count) return;
      socket.off('data', take);
      resolve();
    };
    socket.on('data', take);
  });
}
