// State of a cluster: its server, what is stored, and its fleet.
import { resolve } from 'node:path';
import { type FleetEntry, loadNats } from '../../run/index.ts';
import type { ServerInfo } from '../../run/internal.ts';
import type { Journal } from '../reporter.ts';
import { findAccess, type ServerOptions } from './access.ts';
import { readProcess, type ServerProcess } from './server-process.ts';

/** Page of a server where only its own machine can read who is connected. */
export const MONITOR_URL = 'http://127.0.0.1:8222';

/** State of a cluster. */
export interface ClusterStatus {
  readonly server: Omit<ServerInfo, 'storage' | 'certificate'> & {
    /** The certificate in use. `renew`: it, or that of its authority, expires within 30 days. */
    readonly certificate?: ServerCertificate & { readonly renew: boolean };
  };
  readonly storage?: ServerInfo['storage'];
  /** Where the folder of the cluster was given, and `ClusterServer` has started the server. */
  readonly process?: ServerProcess;
  /** From the status page, where it can be reached. */
  readonly connections?: readonly ServerConnection[];
  readonly fleet: readonly FleetEntry[];
}

type ServerCertificate = NonNullable<ServerInfo['certificate']>;

/** One connection to a server. */
export interface ServerConnection {
  readonly name: string;
  readonly from: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly idle: string;
}

const PAGE_MS = 1000;

/**
 * Asks a server for its state, and the fleet for its members.
 * @param options `monitor` is the URL of the server's status page
 * @throws BedsideError E_FABRIC when the server cannot be reached; E_FILE for credentials that cannot be read
 */
export async function readClusterStatus(
  options: ServerOptions & { readonly monitor?: string | undefined },
  journal?: Pick<Journal, 'note'>,
): Promise<ClusterStatus> {
  const { monitor = MONITOR_URL, credentials: folder } = options;
  const access = await findAccess(options, ['operator', 'observer', 'coordinator']);
  const { connectNats, FleetDirectory, readServerInfo, RENEWAL_MS, OPEN_NOTE } = await loadNats();
  const connection = await connectNats(access);
  try {
    const { storage, certificate, ...server } = await readServerInfo(connection, access);
    const connections = await readConnections(monitor);
    const process = folder === undefined ? undefined : await readProcess(resolve(folder));
    const fleet = await (await FleetDirectory.open(connection, access.credentials)).read();
    if (!access.credentials) journal?.note(OPEN_NOTE);
    return {
      server: {
        ...server,
        ...(certificate && { certificate: { ...certificate, renew: endsWithin(certificate, RENEWAL_MS) } }),
      },
      ...(storage && { storage }),
      ...(process && { process }),
      ...(connections && { connections }),
      fleet,
    };
  } finally {
    await connection.close();
  }
}

function endsWithin({ expires, authorityExpires }: ServerCertificate, ms: number): boolean {
  return Math.min(Date.parse(expires), Date.parse(authorityExpires)) - Date.now() < ms;
}

/** Undefined where the page cannot be reached: on every machine but the server's. */
async function readConnections(monitor: string): Promise<ServerConnection[] | undefined> {
  try {
    const page = await fetch(new URL('/connz', monitor), { signal: AbortSignal.timeout(PAGE_MS) });
    const { connections } = (await page.json()) as { connections: readonly Connz[] };
    return connections.map(({ name = '-', ip, port, in_bytes, out_bytes, idle }) => ({
      name,
      from: `${ip}:${port}`,
      bytesIn: in_bytes,
      bytesOut: out_bytes,
      idle,
    }));
  } catch {
    return undefined;
  }
}

/** An entry of nats-server's status page. */
interface Connz {
  readonly name?: string;
  readonly ip: string;
  readonly port: number;
  readonly in_bytes: number;
  readonly out_bytes: number;
  readonly idle: string;
}
