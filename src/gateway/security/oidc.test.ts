// Tokens of an identity provider: a small one of our own, on this machine. Every token but the right one is refused.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Access } from './access.ts';
import { type OidcOptions, OidcTokens, readOidc } from './oidc.ts';
import { newToken } from './tokens.ts';

const ISSUER = 'https://ward.example/realm';
const AUDIENCE = 'bedside';
const now = (): number => Math.floor(Date.now() / 1000);

interface Key {
  readonly privateKey: CryptoKey;
  readonly jwk: object;
}

let folder: string;
let ours: Key;
let other: Key;
let server: Server;
let published: object[] = [];
let asked = 0;

async function keyNamed(kid: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-oidc-'));
  [ours, other] = await Promise.all([keyNamed('k1'), keyNamed('k2')]);
  await writeFile(join(folder, 'keys.json'), JSON.stringify({ keys: [ours.jwk] }));
  server = createServer((_request, response) => {
    asked++;
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: published }));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

const CLAIMS = { roles: ['infer', 'metrics'], sub: 'monitor-4' };

function tokenOf(
  claims: JWTPayload = CLAIMS,
  { key = ours, kid = 'k1', exp = now() + 300, aud = AUDIENCE, iss = ISSUER } = {},
): Promise<string> {
  const token = new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid });
  return token.setIssuer(iss).setAudience(aud).setExpirationTime(exp).setIssuedAt().sign(key.privateKey);
}

const fromFile = (change: Partial<OidcOptions> = {}) =>
  OidcTokens.open({ issuer: ISSUER, audience: AUDIENCE, keys: join(folder, 'keys.json'), ...change });

describe('a token of the provider', () => {
  it('says who asks, what they may, and until when', async () => {
    const caller = await (await fromFile()).callerOf(await tokenOf());
    expect(caller).toMatchObject({ name: 'oidc:monitor-4', roles: ['infer', 'metrics'] });
    expect(caller.expires).toBeGreaterThan(Date.now());
  });

  it('has roles by a map of its claim, which may lie deeper; others give none', async () => {
    const own = await fromFile({ claim: 'realm.groups', roles: { nurses: 'infer', engineers: 'admin' } });
    const roles = async (claims: JWTPayload) =>
      (await own.callerOf(await tokenOf({ sub: 'x', ...claims }))).roles;
    expect(await roles({ realm: { groups: ['nurses', 'infer', 'constructor'] } })).toEqual(['infer']);
    expect(await roles({ realm: { groups: 'nurses engineers' } })).toEqual(['infer', 'admin']);
    expect(await roles({ roles: ['admin'] })).toEqual([]);
    expect(await roles({ realm: { groups: { admin: true } } })).toEqual([]);
  });

  it('may have expired within the skew of clocks, and not longer ago', async () => {
    const own = await fromFile();
    expect(await own.callerOf(await tokenOf(CLAIMS, { exp: now() - 30 }))).toMatchObject({
      name: 'oidc:monitor-4',
    });
    await expect(own.callerOf(await tokenOf(CLAIMS, { exp: now() - 90 }))).rejects.toMatchObject({
      code: 'E_AUTH',
    });
    const early = await tokenOf({ ...CLAIMS, nbf: now() + 90 });
    await expect(own.callerOf(early)).rejects.toMatchObject({ code: 'E_AUTH' });
  });

  it('is refused with 401 in every other form', async () => {
    const own = await fromFile();
    const [head = '', body = '', signature = ''] = (await tokenOf()).split('.');
    const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const shared = new SignJWT(CLAIMS).setProtectedHeader({ alg: 'HS256', kid: 'k1' });
    const cases: readonly [string, string | Promise<string>][] = [
      ['another audience', tokenOf(CLAIMS, { aud: 'another' })],
      ['another issuer', tokenOf(CLAIMS, { iss: `${ISSUER}/` })],
      ['an unknown key', tokenOf(CLAIMS, { key: other, kid: 'k2' })],
      ['another key under a known name', tokenOf(CLAIMS, { key: other })],
      ['no subject', tokenOf({ roles: ['admin'] })],
      ['no signature', new UnsecuredJWT(CLAIMS).setIssuer(ISSUER).setAudience(AUDIENCE).encode()],
      ['alg none, with a signature', `${encoded({ alg: 'none', kid: 'k1' })}.${body}.${signature}`],
      ['other claims', `${head}.${encoded({ ...CLAIMS, roles: ['admin'] })}.${signature}`],
      [
        'a shared secret, which is the public key',
        shared.setExpirationTime('5m').sign(Buffer.from(publicKey.export({ type: 'spki', format: 'pem' }))),
      ],
      ['no JSON', 'a.b.c'],
      ['an empty head', '..'],
      [
        'no expiry',
        new SignJWT(CLAIMS).setProtectedHeader({ alg: 'ES256', kid: 'k1' }).sign(ours.privateKey),
      ],
      [
        'a critical extension',
        new SignJWT(CLAIMS)
          .setProtectedHeader({ alg: 'ES256', kid: 'k1', crit: ['x'], x: 1 })
          .sign(ours.privateKey, { crit: { x: true } }),
      ],
    ];
    for (const [what, token] of cases) {
      const refused = own.callerOf(await token);
      await expect(refused, what).rejects.toMatchObject({ code: 'E_AUTH' });
    }
  });

  it('stands beside tokens of our own', async () => {
    const { token, kept } = newToken('pump', ['infer']);
    const access = new Access([kept], await fromFile());
    expect(await access.callerOf(`Bearer ${token}`)).toMatchObject({ name: 'pump' });
    expect(await access.callerOf(`Bearer ${await tokenOf()}`)).toMatchObject({ name: 'oidc:monitor-4' });
    await expect(access.callerOf(undefined)).rejects.toMatchObject({ code: 'E_AUTH' });
    await expect(new Access([kept]).callerOf(`Bearer ${await tokenOf()}`)).rejects.toMatchObject({
      code: 'E_AUTH',
    });
  });
});

describe('keys of the provider', () => {
  it('are asked for once, with the first token; where they cannot be read, that is not the fault of the sender', async () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
    const own = await fromFile({ keys: url });
    expect(asked).toBe(0);
    published = [ours.jwk];
    for (let i = 0; i < 3; i++) expect((await own.callerOf(await tokenOf())).name).toBe('oidc:monitor-4');
    expect(asked).toBe(1);
    // A key that is not there does not make every request a question to the provider.
    for (let i = 0; i < 3; i++) {
      const unknown = own.callerOf(await tokenOf(CLAIMS, { key: other, kid: 'k2' }));
      await expect(unknown).rejects.toMatchObject({ code: 'E_AUTH' });
    }
    expect(asked).toBe(1);
    const gone = await fromFile({ keys: 'http://127.0.0.1:1/keys' });
    await expect(gone.callerOf(await tokenOf())).rejects.toMatchObject({ code: 'E_BUSY' });
  });

  it('are public, of a file or over https', async () => {
    await expect(fromFile({ keys: 'http://ward.example/keys' })).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(fromFile({ keys: join(folder, 'none.json') })).rejects.toMatchObject({ code: 'E_FILE' });
    await writeFile(join(folder, 'secret.json'), JSON.stringify({ keys: [{ kty: 'oct', k: 'AAAA' }] }));
    await expect(fromFile({ keys: join(folder, 'secret.json') })).rejects.toMatchObject({ code: 'E_USAGE' });
  });

  it('are named by a file of settings, of which every field is checked', async () => {
    const path = join(folder, 'oidc.json');
    const good = {
      issuer: ISSUER,
      audience: AUDIENCE,
      keys: 'keys.json',
      claim: 'groups',
      roles: { a: 'infer' },
    };
    await writeFile(path, JSON.stringify(good));
    expect(await readOidc(path)).toEqual({ ...good, keys: join(folder, 'keys.json') });
    for (const bad of [
      { issuer: 1 },
      { audience: '' },
      { keys: undefined },
      { roles: { a: 'root' } },
      { extra: 1 },
    ]) {
      await writeFile(path, JSON.stringify({ ...good, ...bad }));
      await expect(readOidc(path)).rejects.toMatchObject({ code: 'E_USAGE' });
    }
    await writeFile(path, '[');
    await expect(readOidc(path)).rejects.toMatchObject({ code: 'E_USAGE' });
  });
});
