// How a NATS server is.
import { resolve } from 'node:path';
import { type BoardEntry, loadNats, type NatsAccess, type ServerInfo } from '../../run/index.ts';
import { readProcess, type ServerProcess } from './server-process.ts';

export interface ClusterStatus {
  readonly server: Omit<ServerInfo, 'storage' | 'certificate'> & {
    /** The certificate in use, and whether to renew it: it, or its authority's, expires within 30 days. */
    readonly certificate?: NonNullable<ServerInfo['certificate']> & { readonly renew: boolean };
  };
  readonly storage?: ServerInfo['storage'];
  /** Where the folder of the cluster was given, and bedside cluster up has started it. */
  readonly process?: ServerProcess;
  /** From the status page, where it can be reached. */
  readonly connections?: readonly ServerConnection[];
  readonly fleet: readonly BoardEntry[];
}

type ServerCertificate = NonNullable<ServerInfo['certificate']>;

export interface ServerConnection {
  readonly name: string;
  readonly from: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly idle: string;
}

const PAGE_MS = 1000;

/**
 * @param folder of the cluster, where it is on this machine
 * @throws BedsideError E_FABRIC when the server cannot be reached
 */
export async function readStatus(
  access: NatsAccess,
  monitor: string,
  folder: string | undefined,
): Promise<ClusterStatus> {
  const { connectNats, FleetBoard, readServer, RENEWAL_MS } = await loadNats();
  const connection = await connectNats(access);
  try {
    const { storage, certificate, ...server } = await readServer(connection, access);
    const connections = await readConnections(monitor);
    const process = folder === undefined ? undefined : await readProcess(resolve(folder));
    const fleet = await (await FleetBoard.open(connection, access.credentials)).read();
    return {
      server: {
        ...server,
        ...(certificate
          ? { certificate: { ...certificate, renew: endsWithin(certificate, RENEWAL_MS) } }
          : {}),
      },
      ...(storage ? { storage } : {}),
      ...(process ? { process } : {}),
      ...(connections ? { connections } : {}),
      fleet,
    };
  } finally {
    await connection.close();
  }
}

function endsWithin({ expires, authorityExpires }: ServerCertificate, ms: number): boolean {
  return Math.min(Date.parse(expires), Date.parse(authorityExpires)) - Date.now() < ms;
}

/** Undefined where the page is not there: on any machine but the server's. */
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

/** Of nats-server's page. */
interface Connz {
  readonly name?: string;
  readonly ip: string;
  readonly port: number;
  readonly in_bytes: number;
  readonly out_bytes: number;
  readonly idle: string;
}
