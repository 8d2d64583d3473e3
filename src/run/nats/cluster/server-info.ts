// The state of a NATS server.
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { connectNats, type NatsAccess } from '../transport/connect.ts';
import { readServerCertificate, type ServerCertificate } from './server-certificate.ts';

/** The state of a server. */
export interface ServerInfo {
  readonly name: string;
  readonly version: string;
  readonly tls: boolean;
  /** Absent without TLS, or if the credentials have no certificate of the authority. */
  readonly certificate?: ServerCertificate;
  /** Largest message in bytes. */
  readonly maxPayload: number;
  /** Seconds of a round trip. */
  readonly roundTrip: number;
  /** Bytes; null for no limit. Absent if the credentials do not allow reading it. */
  readonly storage?: { readonly used: number; readonly limit: number | null; readonly streams: number };
}

const TIMEOUT_MS = 2000;

/**
 * Reads the state of a server.
 * @param connection in the account where nodes meet; the storage is read over another one
 */
export async function readServerInfo(connection: NatsConnection, access: NatsAccess): Promise<ServerInfo> {
  const start = performance.now();
  await connection.flush();
  const roundTrip = (performance.now() - start) / 1000;
  const { info } = connection;
  const storage = await readStorage(access).catch(() => undefined);
  const ca = access.credentials?.ca;
  const certificate = ca === undefined ? undefined : await readServerCertificate(connection.getServer(), ca);
  return {
    name: info?.server_name ?? 'unknown',
    version: info?.version ?? 'unknown',
    tls: info?.tls_required ?? false,
    ...(certificate ? { certificate } : {}),
    maxPayload: info?.max_payload ?? 0,
    roundTrip,
    ...(storage ? { storage } : {}),
  };
}

async function readStorage(access: NatsAccess): Promise<NonNullable<ServerInfo['storage']>> {
  const connection = await connectNats(access, { door: 'store' });
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false, timeout: TIMEOUT_MS });
    const { storage, limits, streams } = await manager.getAccountInfo();
    return { used: storage, limit: limits.max_storage > 0 ? limits.max_storage : null, streams };
  } finally {
    await connection.close();
  }
}
