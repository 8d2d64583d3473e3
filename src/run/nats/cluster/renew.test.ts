// Renewing certificates; the keys of nodes stay.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCertificate } from '../identity/certificate.ts';
import { hasNatsServer, TestServer } from '../test-support/nats-server.ts';
import { connectNats } from '../transport/connect.ts';
import { expiryOf, hostsOf, isPair } from './certificates.ts';
import { parseCredentials } from './credentials.ts';
import { renewCertificates } from './renew.ts';
import { readServerInfo } from './server-info.ts';
import { addToCluster, filesOf, writeCluster } from './write-cluster.ts';

const DAY = 86_400_000;

describe('certificates', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'bedside-renew-'));
    await writeCluster(dir, {
      ...{ port: 4222, monitorPort: 8222, hosts: ['ward7.local', '10.0.7.1'], maxPayload: 1 << 20 },
      ...{ maxStorage: 1 << 20, days: 10, identities: [{ role: 'client' }, { role: 'worker', name: 'a' }] },
    });
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const text = (path: string): Promise<string> => readFile(path, 'utf8');
  const client = () => text(join(dir, 'credentials', 'client.json'));

  it('are renewed by the authority that there is; keys, credentials and names stay', async () => {
    const files = filesOf(dir);
    const before = { client: await client(), conf: await text(join(dir, 'server.conf')) };
    const [ca, key] = [await text(files.ca), await text(files.key)];
    const renewed = await renewCertificates(dir, { days: 400 });
    expect(renewed).toMatchObject({ authority: { kept: true }, credentials: [], missing: [] });
    expect({ client: await client(), conf: await text(join(dir, 'server.conf')) }).toEqual(before);
    expect(await text(files.ca)).toBe(ca);
    const [certificate, now] = [await text(files.certificate), await text(files.key)];
    expect(now).not.toBe(key);
    expect(isPair({ certificate, key: now })).toBe(true);
    expect(hostsOf(certificate)).toEqual(['ward7.local', '10.0.7.1', 'localhost', '127.0.0.1']);
    expect(new Date(renewed.expires)).toEqual(expiryOf(certificate));
    expect((Date.parse(renewed.expires) - Date.now()) / DAY).toBeCloseTo(400, 1);
    // The certificate stays valid for the name in the credentials.
    const { hosts } = await renewCertificates(dir, { days: 400, hosts: ['ward8.local'] });
    expect(hosts).toEqual(['ward8.local', 'ward7.local', 'localhost', '127.0.0.1']);
  });

  it('do not outlive their authority; one that ends within a month is replaced, and told to all that are here', async () => {
    const ends = expiryOf(await text(filesOf(dir).ca));
    const early = await renewCertificates(dir, { days: 400, now: new Date(ends.getTime() - 60 * DAY) });
    expect(early).toMatchObject({ authority: { kept: true }, expires: ends.toISOString() });
    await rm(join(dir, 'credentials', 'worker-a.json'));
    const before = JSON.parse(await client());
    const late = await renewCertificates(dir, { days: 400, now: new Date(ends.getTime() - 20 * DAY) });
    expect(late.authority.kept).toBe(false);
    expect(Date.parse(late.authority.expires)).toBeGreaterThan(ends.getTime());
    expect(late.credentials.map((path) => path.slice(dir.length + 1))).toEqual(['credentials/client.json']);
    expect(late.missing.map((path) => path.slice(dir.length + 1))).toEqual(['credentials/worker-a.json']);
    const ca = await text(filesOf(dir).ca);
    expect(JSON.parse(await client())).toEqual({ ...before, ca });
    expect(ca).not.toBe(before.ca);
  });

  it('are not given to a cluster of before keys were signed for; by force it is made anew', async () => {
    const path = join(dir, 'cluster.json');
    const { signer: _, ...old } = { ...JSON.parse(await text(path)), version: 1, users: [] };
    await writeFile(path, JSON.stringify(old));
    const refused = { code: 'E_FILE', hint: expect.stringContaining('cluster init --force') };
    await expect(renewCertificates(dir, { days: 1 })).rejects.toMatchObject(refused);
    await expect(addToCluster(dir, [{ role: 'worker', name: 'b' }])).rejects.toMatchObject(refused);
    const options = {
      ...{ port: 4222, monitorPort: 8222, hosts: ['ward7.local'], maxPayload: 1 << 20, maxStorage: 1 << 20 },
      ...{ days: 10, identities: [{ role: 'client' } as const] },
    };
    const before = parseCredentials(await client(), 'client.json');
    await writeCluster(dir, options, true);
    await addToCluster(dir, [{ role: 'worker', name: 'b' }]);
    // Certificates of the earlier cluster are not valid in the new one.
    const after = parseCredentials(await client(), 'client.json');
    expect(readCertificate(before.certificate, after.cluster)).toBeUndefined();
    expect(readCertificate(after.certificate, after.cluster)).toMatchObject({
      role: 'client',
      trusted: false,
    });
    const edited = JSON.stringify({ ...after, role: 'coordinator' });
    expect(() => parseCredentials(edited, 'client.json')).toThrow(/certificate does not match its keys/);
  });

  it('need a cluster', async () => {
    await expect(renewCertificates(join(dir, 'none'), { days: 1 })).rejects.toMatchObject({ code: 'E_FILE' });
  });
});

describe.skipIf(!hasNatsServer)('a server with a new certificate', () => {
  it.each([true, false])('lets in who it let in before (authority kept: %s)', async (kept) => {
    await using server = await TestServer.start();
    const before = await server.credentials('observer');
    const expires = async (credentials = before) => {
      const connection = await connectNats({ credentials });
      const { certificate } = await readServerInfo(connection, { credentials });
      await connection.close();
      return certificate?.expires;
    };
    const first = await expires();
    if (!kept) await rm(filesOf(server.cluster.dir).caKey);
    const renewed = await renewCertificates(server.cluster.dir, { days: 90 });
    expect(renewed.authority.kept).toBe(kept);
    // Until it is restarted, the server uses the old certificate.
    expect(await expires()).toBe(first);
    await server.kill();
    await server.run();
    const now = await server.credentials('observer');
    expect(now.seeds).toEqual(before.seeds);
    expect(await expires(now)).toBe(renewed.expires);
    expect(renewed.expires).not.toBe(first);
    if (!kept) {
      await expect(expires()).rejects.toMatchObject({
        code: 'E_FABRIC',
        message: expect.stringContaining('cannot be verified'),
      });
    }
  });
});
