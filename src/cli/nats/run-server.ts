// nats-server in the foreground, with the configuration of a cluster.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Credentials, loadNats } from '../../run/index.ts';
import { BedsideError, readTextChecked } from '../../util/index.ts';
import type { Output } from '../output.ts';
import { Stop } from './signals.ts';

/**
 * Runs the server of a cluster until it is told to stop; where it runs already, only makes its buckets.
 * @throws BedsideError E_FILE without a cluster; E_FABRIC when nats-server is not there or does not start
 */
export async function runServer(folder: string, output: Output): Promise<void> {
  const dir = resolve(folder);
  const { SERVER_CONFIG } = await loadNats();
  const config = join(dir, SERVER_CONFIG);
  const told = await readFile(config).catch(() => undefined);
  if (!told) {
    throw new BedsideError('E_FILE', `${dir} has no ${SERVER_CONFIG}`, {
      hint: `bedside cluster init --dir ${folder} writes it`,
    });
  }
  const credentials = await operatorOf(dir);
  const already = await makeBuckets(credentials).catch((error: unknown) => {
    if (BedsideError.is(error, 'E_FABRIC') && /answers at/.test(error.message)) return undefined;
    throw error;
  });
  if (already !== undefined) {
    output.note(`the server at ${credentials.servers.join(', ')} runs already; its buckets are there`);
    output.result({ running: true, started: false, servers: credentials.servers });
    return;
  }
  const stop = new Stop();
  const child = spawn('nats-server', ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  try {
    await ready(child, output);
    await makeBuckets(credentials);
    output.note(`the server is ready at ${credentials.servers.join(', ')}; Ctrl-C stops it`);
    output.result({ running: true, started: true, servers: credentials.servers, pid: child.pid });
    const ended = new Promise<number | null>((done) => child.once('exit', done));
    const status = await Promise.race([ended, stop.asked.then(() => undefined)]);
    if (status === undefined) {
      output.note('stopping the server');
      child.kill('SIGINT');
      await ended;
      return;
    }
    throw new BedsideError('E_FABRIC', `nats-server ended by itself (status ${status})`, {
      hint: 'what it said above tells why',
    });
  } finally {
    stop.end();
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  }
}

async function operatorOf(dir: string): Promise<Credentials> {
  const { credentialsPath, parseCredentials } = await loadNats();
  const path = credentialsPath(dir, { role: 'operator' });
  const credentials = parseCredentials(await readTextChecked(path, 'credentials'), path);
  return credentials;
}

async function makeBuckets(credentials: Credentials): Promise<boolean> {
  const nats = await loadNats();
  // By the name that every machine has for itself, for which the certificate is good too, then by the others.
  const local = credentials.servers.map((server) => server.replace(/\/\/.*:/, '//localhost:'));
  const connection = await nats.connectNats({ credentials, servers: [...local, ...credentials.servers] });
  try {
    return await nats.makeBuckets(connection);
  } finally {
    await connection.close();
  }
}

/** Waits until it takes connections. What it says is passed on. */
function ready(child: ChildProcess, output: Output): Promise<void> {
  return new Promise((done, fail) => {
    const last: string[] = [];
    child.stderr?.on('data', (chunk: Buffer) => {
      const text = String(chunk).trimEnd();
      last.push(text);
      last.splice(0, last.length - 5);
      output.note(text);
      if (text.includes('Server is ready')) done();
    });
    child.once('error', (cause: NodeJS.ErrnoException) => {
      fail(
        cause.code === 'ENOENT'
          ? new BedsideError('E_FABRIC', 'nats-server is not installed, or not on the PATH', {
              hint: 'Debian, Ubuntu: apt install nats-server; macOS: brew install nats-server; else https://nats.io/download',
              cause,
            })
          : new BedsideError('E_FABRIC', `nats-server cannot be started: ${cause.message}`, { cause }),
      );
    });
    child.once('exit', (code) => {
      fail(
        new BedsideError(
          'E_FABRIC',
          `nats-server ended at its start (status ${code}): ${last.at(-1) ?? ''}`,
          {
            hint: 'another server may have the port; bedside cluster init --port takes another',
          },
        ),
      );
    });
  });
}
