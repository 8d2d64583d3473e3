// TLS of the gateway with certificates of openssl: who is let in, and which files are refused before anybody asks.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServer } from '../http/server.ts';
import { Metrics } from '../observe/metrics.ts';
import { type AccessOptions, openAccess } from './access.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
if (!hasOpenssl) console.log('skipped: TLS of the gateway needs openssl');

let folder: string;
const file = (name: string): string => join(folder, name);
const openssl = (...args: string[]): void =>
  void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });

/** A certificate `NAME.pem` with its key `NAME.key`, of the authority or of itself. */
function certify(name: string, days: number, issuer?: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
  const subject = ['-subj', `/CN=${name}`];
  if (issuer === undefined) {
    openssl('req', '-x509', ...key, ...subject, '-days', String(days), '-out', `${name}.pem`);
    return;
  }
  openssl('req', ...key, ...subject, '-out', `${name}.csr`);
  writeFileSync(file('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  const signed = ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`, '-CAcreateserial', '-extfile', 'names'];
  openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-days', String(days), '-out', `${name}.pem`);
}

const pair = (name: string, clientCa?: string): AccessOptions => ({
  tls: { cert: file(`${name}.pem`), key: file(`${name}.key`), clientCa: clientCa && file(`${clientCa}.pem`) },
});

const apps: FastifyInstance[] = [];

async function serving(options: AccessOptions): Promise<number> {
  const { access, tls } = await openAccess(options);
  const metrics = await Metrics.create({ queues: () => [], lost: () => [] });
  const app = await createServer({
    ...{ models: new Map(), metrics, audit: undefined, tokens: access, tls, bodyLimit: 1000 },
    ...{ log: undefined, dashboard: undefined },
  });
  apps.push(app);
  await app.listen({ host: '127.0.0.1', port: 0 });
  return (app.server.address() as AddressInfo).port;
}

/** The status of a request, or why there is none. */
function ask(port: number, path: string, client?: string, authority = 'authority'): Promise<number | string> {
  const own = client && {
    cert: readFileSync(file(`${client}.pem`)),
    key: readFileSync(file(`${client}.key`)),
  };
  return new Promise((resolve) => {
    const options = {
      port,
      path,
      host: '127.0.0.1',
      agent: false,
      ca: readFileSync(file(`${authority}.pem`)),
      ...own,
    };
    const asked = request(options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    asked.end();
  });
}

describe.runIf(hasOpenssl)('TLS', () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'bedside-tls-'));
    certify('authority', 400);
    certify('stranger', 10);
    certify('server', 90, 'authority');
    certify('monitor', 90, 'authority');
    certify('intruder', 90, 'stranger');
    certify('long', 398, 'authority');
    certify('soon', 3, 'authority');
  });
  afterAll(async () => {
    for (const app of apps) await app.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('answers whoever trusts its authority, and nobody in the clear', async () => {
    const port = await serving(pair('server'));
    expect(await ask(port, '/v2/health/live')).toBe(200);
    expect(await ask(port, '/v2/health/live', undefined, 'stranger')).not.toBe(200);
    await expect(fetch(`http://127.0.0.1:${port}/v2/health/live`)).rejects.toThrow();
  });

  it('lets only clients in that have a certificate of the authority, where one is named', async () => {
    const port = await serving(pair('server', 'authority'));
    expect(await ask(port, '/v2/health/live', 'monitor')).toBe(200);
    expect(await ask(port, '/metrics', 'monitor')).toBe(200);
    expect(typeof (await ask(port, '/v2/health/live'))).toBe('string');
    expect(typeof (await ask(port, '/v2/health/live', 'intruder'))).toBe('string');
  });

  it('needs a token too off this machine, whatever certificate a client has', async () => {
    await expect(openAccess({ host: '0.0.0.0', ...pair('server') })).rejects.toMatchObject({
      code: 'E_USAGE',
    });
    const port = await serving({
      host: '0.0.0.0',
      tokens: file('tokens.json'),
      ...pair('server', 'authority'),
    });
    expect(await ask(port, '/metrics', 'monitor')).toBe(401);
    expect(await ask(port, '/v2/health/live', 'monitor')).toBe(200);
  });

  it('says what phones and browsers would refuse: more than 397 days, and what ends soon', async () => {
    expect((await openAccess(pair('server'))).notes).toEqual([]);
    expect((await openAccess(pair('long'))).notes).toEqual([expect.stringContaining('397 days')]);
    expect((await openAccess(pair('soon'))).notes).toEqual([expect.stringMatching(/expires in [23] days/)]);
  });

  it('refuses files that are no certificate, not its key, or missing', async () => {
    const wrong = (cert: string, key: string) => openAccess({ tls: { cert: file(cert), key: file(key) } });
    await expect(wrong('server.pem', 'monitor.key')).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(wrong('server.key', 'server.key')).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(wrong('server.pem', 'none.key')).rejects.toMatchObject({ code: 'E_FILE' });
    writeFileSync(file('damaged.pem'), readFileSync(file('server.pem')).subarray(0, 200));
    await expect(wrong('damaged.pem', 'server.key')).rejects.toMatchObject({ code: 'E_USAGE' });
  });
});
