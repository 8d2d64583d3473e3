// TLS certificates: a private certificate authority, and the certificate of the cluster's server.
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { loadOptional } from '../../../util/internal.ts';

/** A certificate and its private key, both PEM. */
export interface Certified {
  readonly certificate: string;
  readonly key: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY = 86_400_000;

/** Days that an authority is valid: long, because devices have its certificate in their credentials. */
const AUTHORITY_DAYS = 7300;

/** A new authority, valid for twenty years, or for `days` if that is longer. */
export async function makeAuthority(days: number, now = new Date()): Promise<Certified> {
  const x509 = await load();
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    // Each authority has a name of its own, so that a new one is not mistaken for the old one.
    name: `CN=bedside authority ${serial().slice(0, 8)}`,
    ...validity(now, new Date(now.getTime() + Math.max(days, AUTHORITY_DAYS) * DAY)),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pem(certificate), key: await keyPem(keys.privateKey) };
}

/** A certificate for a server with these names and addresses, valid for `days`, but no longer than its authority. */
export async function certifyServer(
  authority: Certified,
  hosts: readonly string[],
  days: number,
  now = new Date(),
): Promise<Certified> {
  const x509 = await load();
  const keys = await newKeys();
  const ca = new x509.X509Certificate(authority.certificate);
  const [der] = x509.PemConverter.decode(authority.key);
  const signingKey = await webcrypto.subtle.importKey('pkcs8', der as ArrayBuffer, ALGORITHM, false, [
    'sign',
  ]);
  const wanted = now.getTime() + days * DAY;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: 'CN=bedside server',
    issuer: ca.subject,
    ...validity(now, new Date(Math.min(wanted, ca.notAfter.getTime()))),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        hosts.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(ca),
    ],
  });
  return { certificate: pem(certificate), key: await keyPem(keys.privateKey) };
}

/** The end of a certificate's validity. @param certificate PEM */
export function expiryOf(certificate: string): Date {
  return new Date(new X509Certificate(certificate).validTo);
}

/** The names and addresses that a certificate is valid for. */
export function hostsOf(certificate: string): string[] {
  const names = new X509Certificate(certificate).subjectAltName ?? '';
  return names.split(', ').flatMap((name) => name.match(/^(?:DNS|IP Address):(.+)$/)?.[1] ?? []);
}

/** Whether a key belongs to a certificate. */
export function isPair({ certificate, key }: Certified): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

async function load(): Promise<typeof import('@peculiar/x509')> {
  // Loaded only when needed, because it is slow. It needs the polyfill first.
  const x509 = await loadOptional('making certificates', async () => {
    await import('reflect-metadata');
    return import('@peculiar/x509');
  });
  x509.cryptoProvider.set(webcrypto);
  return x509;
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, [
    'sign',
    'verify',
  ]) as Promise<webcrypto.CryptoKeyPair>;
}

function validity(now: Date, notAfter: Date): { readonly notBefore: Date; readonly notAfter: Date } {
  // Valid since yesterday, for devices whose clocks are behind.
  return { notBefore: new Date(now.getTime() - DAY), notAfter };
}

function pem(certificate: { toString(format: 'pem'): string }): string {
  return `${certificate.toString('pem')}\n`;
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  const { PemConverter } = await load();
  return `${PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

/** A random positive serial number of 16 bytes, in hexadecimal digits. */
function serial(): string {
  const bytes = Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
