// A certificate for browsers: of an authority of one's own, and as short as phones ask for.
import { mkdir, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { loadNats } from '../../run/index.ts';
import { BedsideError, messageOf, writeFileAtomic } from '../../util/index.ts';
import { readTextChecked } from '../../util/internal.ts';

/** Days that phones and browsers take at most. */
export const MOST_CERTIFICATE_DAYS = 397;

/** What is made, and from what. */
export interface CertificateSettings {
  /** Names and addresses by which browsers reach the gateway; of a renewal, default those of the present certificate. */
  readonly hosts?: readonly string[] | undefined;
  /** Days that it is valid, at most 397 (default). */
  readonly days?: number | undefined;
  /** Replaces the certificate and key of the folder; its authority stays. */
  readonly renew?: boolean | undefined;
}

/** Files of a certificate. */
export interface NewCertificate {
  readonly certificate: string;
  readonly key: string;
  /** The authority, which each device that visits must trust. */
  readonly authority: string;
  /** Whether the authority was there before. */
  readonly kept: boolean;
  readonly hosts: readonly string[];
  /** End of validity, ISO 8601. */
  readonly expires: string;
}

const HOST = /^(?=.{1,253}$)(\*\.)?([a-z\d]([a-z\d-]{0,61}[a-z\d])?)(\.[a-z\d]([a-z\d-]{0,61}[a-z\d])?)*$/i;

/**
 * Writes `cert.pem`, `key.pem`, `ca.pem` and `ca.key` into a folder. An authority that is there stays, so that devices that
 * trust it go on.
 * @throws BedsideError E_USAGE for names that are none, too many days, and a certificate that is there unless it is renewed;
 *   E_FILE for an authority that cannot be read; E_OUTPUT
 */
export async function writeCertificate(
  folder: string,
  { hosts, days = MOST_CERTIFICATE_DAYS, renew = false }: CertificateSettings = {},
): Promise<NewCertificate> {
  const dir = resolve(folder);
  const [certificate, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const [authority, authorityKey] = [join(dir, 'ca.pem'), join(dir, 'ca.key')];
  if (!Number.isInteger(days) || days < 2 || days > MOST_CERTIFICATE_DAYS) {
    throw new BedsideError(
      'E_USAGE',
      `a certificate for browsers is valid for 2 to ${MOST_CERTIFICATE_DAYS} days`,
      {
        hint: 'phones and browsers refuse longer ones',
      },
    );
  }
  if (!renew && ((await exists(certificate)) || (await exists(key)))) {
    throw new BedsideError('E_USAGE', `${dir} has a certificate, which stays as it is`, {
      hint: '--renew replaces it, and keeps its authority',
    });
  }
  const { certifyServer, expiryOf, hostsOf, isPair, makeAuthority } = await loadNats();
  const names = hosts ?? (renew ? hostsOf(await readTextChecked(certificate, 'certificate')) : []);
  assertHosts(names);
  const kept = await exists(authority);
  const ca = kept
    ? {
        certificate: await readTextChecked(authority, 'certificate'),
        key: await readTextChecked(authorityKey, 'key'),
      }
    : await makeAuthority(days);
  if (!isPair(ca)) {
    throw new BedsideError('E_FILE', `${authorityKey} is not the key of ${authority}`, {
      hint: 'bring back the two files that were written together, or begin in another folder',
    });
  }
  // A certificate counts from the day before, for devices whose clocks are behind: that day is one of them.
  const made = await certifyServer(ca, names, days - 1);
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new BedsideError('E_OUTPUT', `cannot make the folder ${dir}: ${messageOf(cause)}`, { cause });
  }
  if (!kept) {
    await writeFileAtomic(authorityKey, ca.key, 0o600);
    await writeFileAtomic(authority, ca.certificate);
  }
  await writeFileAtomic(key, made.key, 0o600);
  await writeFileAtomic(certificate, made.certificate);
  const expires = expiryOf(made.certificate).toISOString();
  return { certificate, key, authority, kept, hosts: names, expires };
}

function assertHosts(hosts: readonly string[]): void {
  if (hosts.length === 0) {
    throw new BedsideError('E_USAGE', 'a certificate needs the names by which browsers reach the gateway', {
      hint: 'give all of them, as in: ward7.local 10.0.0.2',
    });
  }
  const bad = hosts.find((host) => isIP(host) === 0 && !HOST.test(host));
  if (bad === undefined) return;
  throw new BedsideError('E_USAGE', `'${bad}' is no name or address of a machine`, {
    hint: 'give names as they stand in the address bar, without https:// and port',
  });
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
