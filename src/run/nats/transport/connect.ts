// Connections to a NATS server, and clear errors for its failures.
import { type NatsConnection, connect as natsConnect, nkeyAuthenticator } from '@nats-io/transport-node';
import { BedsideError, messageOf } from '../../../util/index.ts';
import type { Credentials } from '../cluster/credentials.ts';
import { inboxPrefix, tokenOf } from './subjects.ts';

/** The address of a server, and the credentials for it. */
export interface NatsAccess {
  /** `nats://host:port` or `tls://host:port`; default: those in the credentials. */
  readonly servers?: readonly string[] | undefined;
  /** Absent on an open server, which admits anybody. */
  readonly credentials?: Credentials | undefined;
}

/** Milliseconds between attempts to reconnect; they never end. */
const RECONNECT_MS = 200;

/** Milliseconds between pings. A connection that leaves two unanswered is given up. */
const PING_MS = 1000;

const TIMEOUT_MS = 5000;

/**
 * The server's account to use: `fabric`, where nodes meet, or `store`, where bundles are. An open server has only one.
 */
export type NatsAccount = 'fabric' | 'store';

/**
 * Connects, and reconnects by itself whenever the connection is lost.
 * @param who two tokens of a node, under which the server's replies arrive; default: those of the credentials
 * @throws BedsideError E_FABRIC
 */
export async function connectNats(
  access: NatsAccess,
  { who, door = 'fabric' }: { readonly who?: string; readonly door?: NatsAccount } = {},
): Promise<NatsConnection> {
  const { credentials } = access;
  const servers = access.servers ?? credentials?.servers ?? ['nats://127.0.0.1:4222'];
  const own = who ?? `${credentials?.role ?? 'any'}.${tokenOf(credentials?.name ?? 'any')}`;
  try {
    return await natsConnect({
      servers: servers.map((server) => server.replace(/^(nats|tls):\/\//, '')),
      ...(credentials
        ? { authenticator: nkeyAuthenticator(new TextEncoder().encode(credentials.seeds[door])) }
        : {}),
      ...(credentials?.ca === undefined ? {} : { tls: { ca: credentials.ca } }),
      inboxPrefix: inboxPrefix(own),
      name: `bedside ${own}`,
      timeout: TIMEOUT_MS,
      pingInterval: PING_MS,
      maxPingOut: 2,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_MS,
      reconnectJitter: RECONNECT_MS / 2,
      reconnectJitterTLS: RECONNECT_MS / 2,
      // A server that restarts may refuse connections for a moment.
      ignoreAuthErrorAbort: true,
    });
  } catch (cause) {
    throw notConnected(servers, credentials, cause);
  }
}

function notConnected(
  servers: readonly string[],
  credentials: Credentials | undefined,
  cause: unknown,
): BedsideError {
  const where = servers.join(', ');
  const why = messageOf(cause);
  const fail = (message: string, hint: string) => new BedsideError('E_FABRIC', message, { hint, cause });
  if (/authorization|authentication/i.test(why)) {
    return fail(
      `the NATS server at ${where} ${credentials ? `refuses these credentials (role ${credentials.role})` : 'lets nobody in without credentials'}`,
      credentials
        ? 'copy the credentials that bedside cluster init wrote for this server, and restart the server after init'
        : 'give --credentials FILE, one of those that bedside cluster init wrote',
    );
  }
  if (/certificate has expired/i.test(why)) {
    return fail(
      `the certificate of the NATS server at ${where} has expired`,
      'on its machine: bedside cluster init --renew-certificates, then restart the server',
    );
  }
  if (/certificate|self.signed|altname|tls|ssl/i.test(why)) {
    return fail(
      `the certificate of the NATS server at ${where} cannot be verified: ${why}`,
      'use the name that was given to bedside cluster init --host, and the credentials of that cluster',
    );
  }
  return fail(
    `no NATS server answers at ${where}: ${why}`,
    'bedside cluster up starts one, and nats-server -js one to try things out; check address and firewall',
  );
}

/** A failure of the server as a coded error with a hint. An error that already has a code is returned as it is. */
export function natsError(what: string, cause: unknown): BedsideError {
  if (BedsideError.is(cause)) return cause;
  const why = messageOf(cause);
  return new BedsideError('E_FABRIC', `${what}: ${why}`, { hint: hintOf(why), cause });
}

function hintOf(why: string): string {
  if (/permission/i.test(why))
    return 'the role of these credentials may not do it; docs/cluster.md says which may';
  if (/no responders|not found|not enabled|503/i.test(why)) {
    return 'the server lacks JetStream, or the buckets that bedside cluster up makes';
  }
  return 'bedside cluster status shows the state of the server';
}
