// Renews the certificates of a cluster. The keys of its nodes stay, so that no device loses access.
import { resolve } from 'node:path';
import { writeFileAtomic } from '../../../util/index.ts';
import { readTextChecked } from '../../../util/internal.ts';
import { type Certified, certifyServer, expiryOf, hostsOf, isPair, makeAuthority } from './certificates.ts';
import { parseCredentials } from './credentials.ts';
import { credentialsPath, filesOf, readCluster, writeSecret } from './write-cluster.ts';

/** A certificate should be renewed in the last so many milliseconds of its validity. */
export const RENEWAL_MS = 30 * 86_400_000;

/** Options of a renewal. */
export interface RenewOptions {
  /** Names and addresses of the server; default: those in its certificate. */
  readonly hosts?: readonly string[] | undefined;
  /** Days that the server's certificate is valid. */
  readonly days: number;
  readonly now?: Date | undefined;
}

/** The result of a renewal. */
export interface Renewed {
  readonly dir: string;
  readonly hosts: readonly string[];
  /** End of validity of the server's certificate, ISO 8601. */
  readonly expires: string;
  readonly authority: { readonly expires: string; readonly kept: boolean };
  /** Credentials with a new authority: their devices need these files. */
  readonly credentials: readonly string[];
  /** Credentials that need the new authority but are not in the folder. */
  readonly missing: readonly string[];
}

/**
 * Replaces the certificate of a cluster's server. The keys of nodes stay. The authority stays too if it is valid for
 * another month and its key is in the folder; otherwise all credentials get the certificate of a new one.
 * @throws BedsideError E_FILE if there is no cluster; E_OUTPUT if files cannot be written
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
  // Include the names in the credentials, and those by which the server's machine reaches itself.
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

/** The authority with its key, if both exist and belong together. */
async function authorityOf({ ca, caKey }: ReturnType<typeof filesOf>): Promise<Certified | undefined> {
  const read = (path: string): Promise<string> => readTextChecked(path, 'certificate').catch(() => '');
  const authority = { certificate: await read(ca), key: await read(caKey) };
  return isPair(authority) ? authority : undefined;
}
