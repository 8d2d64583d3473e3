// Where workers meet: on the embedded fabric, and on a NATS server of its own where there is one.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsAccess } from '../../src/run/index.ts';

/** A fabric by name; `access` is absent for the embedded one. */
export interface BenchPlace {
  readonly name: 'local' | 'NATS';
  readonly access: NatsAccess | undefined;
}

/** Runs on each fabric there is, with a server that is started and stopped. */
export async function onEachFabric<T>(run: (place: BenchPlace) => Promise<T>): Promise<T[]> {
  const results = [await run({ name: 'local', access: undefined })];
  if (spawnSync('nats-server', ['--version']).status !== 0) {
    process.stderr.write('nats-server is not on the PATH: nothing is measured over NATS\n');
    return results;
  }
  const dir = await mkdtemp(join(tmpdir(), 'bedside-bench-nats-'));
  const port = await freePort();
  const config = join(dir, 'server.conf');
  await writeFile(config, `listen: 127.0.0.1:${port}\nmax_payload: 8MB\njetstream { store_dir: "${dir}" }\n`);
  const server = spawn('nats-server', ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  try {
    await new Promise<void>((resolve, reject) => {
      server.stderr.on('data', (chunk) => String(chunk).includes('Server is ready') && resolve());
      server.once('exit', (code) => reject(new Error(`nats-server ended with ${code}`)));
    });
    results.push(await run({ name: 'NATS', access: { servers: [`nats://127.0.0.1:${port}`] } }));
  } finally {
    server.kill();
    await ended;
    await rm(dir, { recursive: true, force: true });
  }
  return results;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : 0));
    });
  });
}
