// Sessions of pages: how long they last, and what other sites cannot do.
import { describe, expect, it } from 'vitest';
import {
  assertLocalName,
  assertOwnPage,
  type RequestOrigin,
  SESSION_SECONDS,
  Sessions,
  sessionCookie,
  sessionIdOf,
} from './sessions.ts';

const caller = { name: 'monitor 4', roles: ['explain'] } as const;
const origin = (more: Partial<RequestOrigin> = {}): RequestOrigin => ({
  ...{ method: 'POST', headers: {}, secure: false, port: 8500 },
  ...more,
});

describe('a session', () => {
  it('is found by its id until it ends', () => {
    let now = 1_000_000;
    const sessions = new Sessions(() => now);
    const { id } = sessions.open(caller);
    expect(sessions.find(id)?.caller).toEqual(caller);
    expect(sessions.find(`${id}x`)).toBeUndefined();
    now += 1000 * SESSION_SECONDS;
    expect(sessions.find(id)).toBeUndefined();
    const { id: other } = sessions.open(caller);
    sessions.close(other);
    expect(sessions.find(other)).toBeUndefined();
  });

  it('does not push out memory: the oldest ends', () => {
    const sessions = new Sessions();
    const ids = Array.from({ length: 1100 }, () => sessions.open(caller).id);
    expect(ids.map((id) => sessions.find(id) !== undefined).filter(Boolean)).toHaveLength(1024);
    expect(sessions.find(ids.at(-1))).toBeDefined();
  });

  it('is in a cookie that scripts and other sites do not get, one for each port', () => {
    const plain = sessionCookie(origin(), 'id-1');
    expect(plain).toMatch(/^bedside-8500=id-1; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict$/);
    expect(sessionCookie(origin({ secure: true }), 'id-1')).toMatch(/^__Host-bedside-8500=id-1;.*; Secure$/);
    expect(sessionCookie(origin(), undefined)).toContain('Max-Age=0');
    const sent = { cookie: 'a=b; bedside-8501=other; bedside-8500=id-1' };
    expect(sessionIdOf(origin({ headers: sent }))).toBe('id-1');
    expect(sessionIdOf(origin({ headers: { cookie: 'bedside-8500=<script>' } }))).toBeUndefined();
    expect(sessionIdOf(origin({ headers: {} }))).toBeUndefined();
  });
});

describe('another site', () => {
  const page = { 'x-bedside-page': '1', host: 'ward:8500' };

  it.each([
    ['its header', { host: 'ward:8500' }],
    ['the site it comes from', { ...page, 'sec-fetch-site': 'cross-site' }],
    ['a site of the same domain', { ...page, 'sec-fetch-site': 'same-site' }],
    ['its origin', { ...page, origin: 'http://evil.example' }],
    ['its scheme', { ...page, origin: 'https://ward:8500' }],
    ['a hidden origin', { ...page, origin: 'null' }],
  ])('is known by %s', (_what, headers) => {
    expect(() => assertOwnPage(origin({ headers }))).toThrow('another site');
  });

  it('may be linked from, and our own pages may do what they do', () => {
    expect(() => assertOwnPage(origin({ method: 'GET' }))).not.toThrow();
    const own = { ...page, origin: 'http://ward:8500', 'sec-fetch-site': 'same-origin' };
    expect(() => assertOwnPage(origin({ headers: own }))).not.toThrow();
  });

  it('cannot point its name at this machine', () => {
    for (const name of ['localhost:8500', '127.0.0.1:8500', '127.8.0.1', '[::1]:8500']) {
      expect(() => assertLocalName(name)).not.toThrow();
    }
    for (const name of [
      'evil.example',
      'localhost.evil.example:8500',
      '127.0.0.1.evil.example',
      '',
      undefined,
    ]) {
      expect(() => assertLocalName(name)).toThrow('not a name of this machine');
    }
  });
});
