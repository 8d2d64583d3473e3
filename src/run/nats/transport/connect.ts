// Connections to a NATS server, and its failures in words.
import { type NatsConnection, connect as natsConnect, nkeyAuthenticator } from '@nats-io/transport-node';
import { BedsideError, messageOf } from '../../../util/index.ts';
import type { Credentials } from '../cluster/credentials.ts';
import { inboxPrefix, tokenOf } from './subjects.ts';

/** Where the server is, and as whom to come. */
export interface NatsAccess {
  /** `nats://host:port` or `tls://host:port`; absent: those of the credentials. */
  readonly servers?: readonly string[] | undefined;
  /** Absent: as anybody, which only an open server allows. */
  readonly credentials?: Credentials | undefined;
}

/** Milliseconds between attempts to come back; without end. */
const AGAIN_MS = 200;

/** A connection that does not answer for two of these is given up. */
const PING_MS = 1000;

const TIMEOUT_MS = 5000;

/** Which of the server's accounts to come to: where nodes meet, or where bundles are. An open server has but one. */
export type NatsAccount = 'fabric' | 'store';

/**
 * Connects, and from then on comes back by itself whenever the connection is lost.
 * @param who two tokens of a node, under which the server's answers come in; by default what the credentials say
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
      reconnectTimeWait: AGAIN_MS,
      reconnectJitter: AGAIN_MS / 2,
      reconnectJitterTLS: AGAIN_MS / 2,
      // A server that comes up again may refuse for a moment.
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
      `the NATS server at ${where} lets ${credentials ? `these credentials (role ${credentials.role})` : 'nobody'} in${credentials ? ' no longer, or never did' : ' without credentials'}`,
      credentials
        ? 'copy the credentials that bedside cluster init wrote for this server, and start the server again after init'
        : 'give --credentials FILE, one of those that bedside cluster init wrote',
    );
  }
  if (/certificate has expired/i.test(why)) {
    return fail(
      `the certificate of the NATS server at ${where} has expired`,
      'on its machine: bedside cluster init --renew-certificates, then start the server again',
    );
  }
  if (/certificate|self.signed|altname|tls|ssl/i.test(why)) {
    return fail(
      `no trust in the NATS server at ${where}: ${why}`,
      'name the server as bedside cluster init --host was told, and use the credentials of that cluster',
    );
  }
  return fail(
    `no NATS server answers at ${where}: ${why}`,
    'bedside cluster up starts one; check address and firewall',
  );
}

/** What came of asking the server, in words; a coded error passes as it is. */
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
  return 'bedside cluster status tells how the server is';
}
