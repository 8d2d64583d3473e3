// Certificates for browsers, checked by Node's own reader and by a real TLS connection.
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MOST_CERTIFICATE_DAYS, writeCertificate } from './certificate.ts';

const DAY = 86_400_000;
let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'bedside-certificate-')), 'tls');
});
afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }));

const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');

/** What a client that trusts the authority says of a connection under a name. */
async function visited(host: string): Promise<string> {
  const [cert, key, ca] = await Promise.all(['cert.pem', 'key.pem', 'ca.pem'].map(read));
  const server = createServer({ cert, key }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await new Promise((resolve) => {
      const options = { port, host: '127.0.0.1', ca, servername: host };
      const socket = connect(options, () => resolve(socket.authorized ? 'trusted' : 'refused'));
      socket.once('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? 'error'));
    });
  } finally {
    server.close();
  }
}

it('is trusted under its names alone, and no longer than phones allow', async () => {
  const made = await writeCertificate(folder, { hosts: ['ward7.local', '127.0.0.1'] });
  expect(made).toMatchObject({ kept: false, hosts: ['ward7.local', '127.0.0.1'] });
  const leaf = new X509Certificate(await read('cert.pem'));
  const days = (Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)) / DAY;
  expect(days).toBeLessThanOrEqual(MOST_CERTIFICATE_DAYS);
  expect(days).toBeGreaterThan(MOST_CERTIFICATE_DAYS - 1);
  expect(leaf.subjectAltName).toBe('DNS:ward7.local, IP Address:127.0.0.1');
  expect(await visited('ward7.local')).toBe('trusted');
  expect(await visited('other.local')).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  for (const secret of ['key.pem', 'ca.key'])
    expect((await stat(join(folder, secret))).mode & 0o777).toBe(0o600);
});

it('is renewed under the same authority, and never replaced by accident', async () => {
  await writeCertificate(folder, { hosts: ['ward7.local'], days: 30 });
  const [before, authority] = [await read('cert.pem'), await read('ca.pem')];
  await expect(writeCertificate(folder, { hosts: ['ward7.local'] })).rejects.toMatchObject({
    code: 'E_USAGE',
  });
  expect(await read('cert.pem')).toBe(before);
  const renewed = await writeCertificate(folder, { renew: true });
  expect(renewed).toMatchObject({ kept: true, hosts: ['ward7.local'] });
  expect(await read('cert.pem')).not.toBe(before);
  expect(await read('ca.pem')).toBe(authority);
  expect(await visited('ward7.local')).toBe('trusted');
  await writeFile(join(folder, 'ca.key'), await read('key.pem'));
  await expect(writeCertificate(folder, { renew: true })).rejects.toMatchObject({ code: 'E_FILE' });
});

it.each<readonly [string, object]>([
  ['more days than phones take', { hosts: ['a'], days: 398 }],
  ['no names', {}],
  ['an address of a page', { hosts: ['https://ward7.local'] }],
  ['a name with a port', { hosts: ['ward7.local:8500'] }],
])('is refused for %s, and nothing is written', async (_what, settings) => {
  await expect(writeCertificate(folder, settings)).rejects.toMatchObject({ code: 'E_USAGE' });
  await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' });
});
