// New certificates for a cluster whose keys stay: nobody is shut out.
import { resolve } from 'node:path';
import { readTextChecked, writeFileAtomic } from '../../../util/index.ts';
import { type Certified, certifyServer, expiryOf, hostsOf, isPair, makeAuthority } from './certificates.ts';
import { parseCredentials } from './credentials.ts';
import { credentialsPath, filesOf, readCluster, writeSecret } from './write-cluster.ts';

/** Milliseconds before a certificate's end from which on it wants renewal. */
export const RENEWAL_MS = 30 * 86_400_000;

export interface RenewOptions {
  /** Names and addresses of the server; default those of its certificate. */
  readonly hosts?: readonly string[] | undefined;
  /** Days that the server's certificate is valid. */
  readonly days: number;
  readonly now?: Date | undefined;
}

/** What was renewed. */
export interface Renewed {
  readonly dir: string;
  readonly hosts: readonly string[];
  /** ISO 8601. */
  readonly expires: string;
  readonly authority: { readonly expires: string; readonly kept: boolean };
  /** Credentials that name another authority now: their devices need these files. */
  readonly credentials: readonly string[];
  /** Credentials that would have to, and are not in the folder. */
  readonly missing: readonly string[];
}

/**
 * Replaces the certificate of a cluster's server. Keys of nodes stay, and so does the authority while it is valid for
 * another month and its key is in the folder; else credentials are written with the new one's certificate.
 * @throws BedsideError E_FILE when there is no cluster; E_OUTPUT when it cannot be written
 */
export async function renewCertificates(
  folder: string,
  { hosts, days, now = new Date() }: RenewOptions,
): Promise<Renewed> {
  const dir = resolve(folder);
  const cluster = await readCluster(dir);
  const files = filesOf(dir);
  const before = await authorityOf(files);
  const kept = before !== undefined && expiryOf(before.certificate).getTime() - now.getTime() > RENEWAL_MS;
  const authority = kept ? before : await makeAuthority(days, now);
  const old = hosts ?? hostsOf(await readTextChecked(files.certificate, 'certificate'));
  // As credentials call it, and as the machine of the server calls itself.
  const named = cluster.servers.map((server) => new URL(server).hostname.replace(/^\[|\]$/g, ''));
  const all = [...new Set([...old, ...named, 'localhost', '127.0.0.1'])];
  const server = await certifyServer(authority, all, days, now);
  const credentials: string[] = [];
  const missing: string[] = [];
  if (!kept) {
    for (const { identity } of cluster.users) {
      const path = credentialsPath(dir, identity);
      const text = await readTextChecked(path, 'credentials').catch(() => undefined);
      if (text === undefined) missing.push(path);
      else {
        const secret = { ...parseCredentials(text, path), ca: authority.certificate };
        await writeSecret(path, `${JSON.stringify(secret, null, 2)}\n`);
        credentials.push(path);
      }
    }
    await writeFileAtomic(files.ca, authority.certificate);
    await writeSecret(files.caKey, authority.key);
  }
  await writeSecret(files.key, server.key);
  await writeFileAtomic(files.certificate, server.certificate);
  return {
    dir,
    hosts: all,
    expires: expiryOf(server.certificate).toISOString(),
    authority: { expires: expiryOf(authority.certificate).toISOString(), kept },
    credentials,
    missing,
  };
}

/** The authority with its key, where both are there and belong together. */
async function authorityOf({ ca, caKey }: ReturnType<typeof filesOf>): Promise<Certified | undefined> {
  const read = (path: string): Promise<string> => readTextChecked(path, 'certificate').catch(() => '');
  const authority = { certificate: await read(ca), key: await read(caKey) };
  return isPair(authority) ? authority : undefined;
}
