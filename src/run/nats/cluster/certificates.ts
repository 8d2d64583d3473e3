// A certificate authority of a ward's own, and the certificate of its server.
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

/** Days that an authority is valid at least: devices have its certificate in their credentials. */
const AUTHORITY_DAYS = 7300;

/** An authority, valid for twenty years, or for as long as the certificate that it is made for. */
export async function makeAuthority(days: number, now = new Date()): Promise<Certified> {
  const x509 = await load();
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    // Another authority of one ward has another name, so that neither is taken for the other.
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

/** A server's certificate, valid for `days`, but not longer than its authority. */
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

/** Until when a certificate is valid. */
export function expiryOf(certificate: string): Date {
  return new Date(new X509Certificate(certificate).validTo);
}

/** The names and addresses that a certificate is good for. */
export function hostsOf(certificate: string): string[] {
  const names = new X509Certificate(certificate).subjectAltName ?? '';
  return names.split(', ').flatMap((name) => name.match(/^(?:DNS|IP Address):(.+)$/)?.[1] ?? []);
}

/** Whether key and certificate belong together. */
export function isPair({ certificate, key }: Certified): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

async function load(): Promise<typeof import('@peculiar/x509')> {
  // Slow to load, and rarely needed. It keeps its parts in a container that needs the polyfill first.
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
  // A clock that is a little behind must not refuse it.
  return { notBefore: new Date(now.getTime() - DAY), notAfter };
}

function pem(certificate: { toString(format: 'pem'): string }): string {
  return `${certificate.toString('pem')}\n`;
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  const { PemConverter } = await load();
  return `${PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

/** Positive, of 16 bytes. */
function serial(): string {
  const bytes = Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
