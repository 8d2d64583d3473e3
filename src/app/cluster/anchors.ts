// Anchors of audit logs on the NATS server of a ward.

import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { loadNats } from '../../run/index.ts';
import type { AnchorBucket, AnchorKey } from '../../run/internal.ts';
import { sha256Of } from '../../util/internal.ts';
import { findAccess, isServerUrl } from './access.ts';

/** An anchor on a server, and how messages call it. */
export interface ServerAnchor {
  readonly bucket: AnchorBucket;
  readonly key: AnchorKey;
  /** `nats://host:port/GATEWAY/LOG` */
  readonly address: string;
}

const ADDRESS = /^((?:nats|tls):\/\/[^/]+)(?:\/([^/]+)\/([^/]+))?\/?$/;

/** Server, and where they are named gateway and log; undefined for a text that is no such address. */
function parsed(text: string): { server: string; gateway?: string; log?: string } | undefined {
  const [, server = '', gateway, log] = ADDRESS.exec(text) ?? [];
  if (!isServerUrl(server)) return undefined;
  return { server, ...(gateway !== undefined && log !== undefined ? { gateway, log } : {}) };
}

/** Whether a text is the address of a server, `nats://host:port`, or of an anchor on it, `nats://host:port/GATEWAY/LOG`. */
export function isAnchorAddress(text: string): boolean {
  return parsed(text) !== undefined;
}

/**
 * Connects to where the end of a log is kept. Unless the address names them, the gateway is the name of the credentials, else
 * of this machine, and the log is told by its folder's path.
 * @param address as in `isAnchorAddress`; undefined for the server that the credentials name
 * @param roles that fit, the first that a folder of credentials has
 * @throws BedsideError E_FABRIC, E_FILE as `findAccess`
 */
export async function openServerAnchor(
  { address, folder }: { readonly address: string | undefined; readonly folder: string },
  credentials: string | undefined,
  roles: readonly string[],
): Promise<ServerAnchor> {
  const { AnchorBucket } = await loadNats();
  const named = address === undefined ? undefined : parsed(address);
  const access = await findAccess({ fabric: named?.server, credentials }, roles);
  const server = named?.server ?? access.credentials?.servers[0] ?? 'nats://127.0.0.1:4222';
  const key = {
    gateway: named?.gateway ?? access.credentials?.name ?? hostname(),
    log: named?.log ?? sha256Of(resolve(folder)).slice(0, 12),
  };
  return { bucket: await AnchorBucket.open(access), key, address: `${server}/${key.gateway}/${key.log}` };
}
