// Has the running server of a cluster read its configuration again, and waits until it says that it did.
import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadNats } from '../../run/index.ts';
import { OWN_PID } from '../../util/internal.ts';
import { isServerOf, readProcess } from './server-process.ts';

/** Whether the running server has the configuration as it is now. */
export interface Reload {
  /** The server confirmed it. */
  readonly inForce: boolean;
  readonly pid?: number;
  /** Why it is not in force, and what to do. */
  readonly why?: string;
}

const PAGE_MS = 1000;
/** The server checks its configuration first; a busy machine may take a while. */
const WAIT_MS = 10_000;
const LOOK_MS = 50;

/** Sends the server of a cluster's folder SIGHUP, if it runs on this machine. */
export async function reloadServer(folder: string): Promise<Reload> {
  const dir = resolve(folder);
  const { readCluster } = await loadNats();
  const { monitorPort } = await readCluster(dir);
  const before = await loadedAt(monitorPort);
  const pid = (await readProcess(dir))?.pid ?? (await findServer(dir));
  if (pid === undefined) {
    const why =
      before === undefined
        ? 'no server with this configuration runs on this machine; the next one has it, one elsewhere needs this server.conf'
        : `a server answers at port ${monitorPort}, but its process is not known: restart it`;
    return { inForce: false, why };
  }
  try {
    process.kill(pid, 'SIGHUP');
  } catch {
    return {
      inForce: false,
      why: `process ${pid} may not be signalled: as its user, nats-server --signal reload=${pid}`,
    };
  }
  for (const end = performance.now() + WAIT_MS; performance.now() < end; await sleep(LOOK_MS)) {
    const now = await loadedAt(monitorPort);
    if (now !== undefined && now !== before) return { inForce: true, pid };
  }
  return { inForce: false, pid, why: `process ${pid} did not confirm it: see its log, and restart it` };
}

/** When the server last read its configuration, by its status page; undefined where none answers. */
async function loadedAt(port: number): Promise<string | undefined> {
  try {
    const page = await fetch(`http://127.0.0.1:${port}/varz`, { signal: AbortSignal.timeout(PAGE_MS) });
    return ((await page.json()) as { config_load_time?: string }).config_load_time;
  } catch {
    return undefined;
  }
}

/** The process of a server that somebody else started with this configuration, as a service for instance. */
async function findServer(dir: string): Promise<number | undefined> {
  const names = await readdir('/proc').catch(() => []);
  for (const pid of names.map(Number)) {
    if (pid > 0 && pid !== OWN_PID && (await isServerOf(dir, pid))) return pid;
  }
  return undefined;
}
