// Results to a folder and to a FHIR server: each arrives once, whatever the network, the server or this process does.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ResultTransaction, transactionOf } from '../fhir/transaction.ts';
import { uuidOf } from '../identity.ts';
import { hasOpenssl, selfSigned } from '../test-support/certificate.ts';
import { FhirServer } from '../test-support/fhir-server.ts';
import { BEATS, IMAGE } from '../test-support/results.ts';
import { secretFrom } from './ask.ts';
import { type OutletOptions, openOutlet } from './outlet.ts';
import { retryAfter } from './post-transaction.ts';

let folder: string;
let server: FhirServer;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bedside-outlet-'));
  server = await FhirServer.start();
});

afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const queue = (): string => join(folder, 'queue');
const waiting = (): string[] => readdirSync(queue()).filter((name) => name.endsWith('.json'));
const transaction = (i: number): ResultTransaction =>
  transactionOf({ ...IMAGE, id: uuidOf('result', String(i)) });
const open = (options: OutletOptions = {}, url = server.url) =>
  openOutlet(url, { queue: queue(), firstRetry: 0.005, ...options });

describe('a folder', () => {
  it('gets one file for each result, that only this user reads', async () => {
    const out = join(folder, 'fhir');
    await using outlet = await openOutlet(out);
    await outlet.send(transactionOf(BEATS));
    await outlet.send(transactionOf(BEATS));
    await outlet.send(transaction(1));
    expect(outlet.state).toMatchObject({ delivered: 2, waiting: 0 });
    const names = readdirSync(out).sort();
    expect(names).toEqual([`${BEATS.id}.json`, `${uuidOf('result', '1')}.json`].sort());
    expect(statSync(join(out, `${BEATS.id}.json`)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(join(out, `${BEATS.id}.json`), 'utf8'))).toEqual(transactionOf(BEATS));
  });

  it('that cannot be written is refused', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(openOutlet(join(folder, 'file', 'x'))).rejects.toMatchObject({ code: 'E_OUTPUT' });
  });
});

describe('a server', () => {
  it('gets each result once, through lost requests, lost answers, refusals for now and pages of proxies', async () => {
    server.faults.push('lost-before', 'lost-after', { status: 429, headers: { 'retry-after': '0' } });
    server.faults.push('none', { status: 503 }, 'page', 'lost-after', { status: 401 }, 'lost-after');
    const notes: string[] = [];
    await using outlet = await open({ onNote: (text) => notes.push(text) });
    for (let i = 0; i < 5; i++) await outlet.send(transaction(i));
    await outlet.send(transaction(4));
    expect(await outlet.flush(20)).toMatchObject({ delivered: 5, waiting: 0, refused: 0 });
    expect(server.count('DiagnosticReport')).toBe(5);
    expect(server.count('Provenance')).toBe(5);
    expect(server.count('Device')).toBe(1);
    expect(server.times.length).toBe(13);
    expect(waiting()).toEqual([]);
    expect(notes.join('\n')).toContain('answered 503');
    expect(notes.join('\n')).toContain('its token is missing, wrong or over');
  });

  it('is waited for as long as it asks', async () => {
    server.faults.push({ status: 503, headers: { 'retry-after': '1' } });
    await using outlet = await open();
    await outlet.send(transaction(1));
    expect(await outlet.flush(10)).toMatchObject({ delivered: 1 });
    expect((server.times[1] ?? 0) - (server.times[0] ?? 0)).toBeGreaterThanOrEqual(990);
    const now = Date.parse('2026-03-01T10:00:00Z');
    expect(retryAfter('Sun, 01 Mar 2026 10:00:30 GMT', now)).toBe(30);
    expect([
      retryAfter('99999', now),
      retryAfter('-5', now),
      retryAfter('soon', now),
      retryAfter(undefined, now),
    ]).toEqual([3600, 0, undefined, undefined]);
  });

  it('that will not take one result gets the others; that one is set aside with what the server said', async () => {
    server.faults.push({ status: 422, body: '{"resourceType":"OperationOutcome","text":"NAME^TEST"}' });
    const notes: string[] = [];
    await using outlet = await open({ onNote: (text) => notes.push(text) });
    await outlet.send(transaction(1));
    await outlet.send(transaction(2));
    expect(await outlet.flush(10)).toMatchObject({ delivered: 1, refused: 1, waiting: 0 });
    const aside = readdirSync(join(queue(), 'refused'));
    expect(aside.length).toBe(2);
    const said = aside.find((name) => name.endsWith('.txt')) ?? '';
    expect(readFileSync(join(queue(), 'refused', said), 'utf8')).toContain('NAME^TEST');
    expect(notes.join()).not.toContain('NAME^TEST');
    expect(outlet.state.problem).not.toContain('NAME^TEST');
  });

  it('that is away is waited for, by the next process too', async () => {
    const { port, url } = server;
    await server.close();
    {
      await using outlet = await open({}, url);
      await outlet.send(transaction(1));
      await outlet.send(transaction(2));
      expect(await outlet.flush(0.05)).toMatchObject({ delivered: 0, waiting: 2 });
    }
    expect(waiting().length).toBe(2);
    server = await FhirServer.start();
    await server.close();
    await server.listen(port);
    await using again = await open({}, url);
    expect(await again.flush(10)).toMatchObject({ delivered: 2, waiting: 0 });
    expect(server.count('DiagnosticReport')).toBe(2);
  });

  it('gets a token that is asked for again at each request', async () => {
    const file = join(folder, 'token');
    const fromFile = secretFrom(file, 'NONE');
    let asked = 0;
    const token = (): Promise<string | undefined> => {
      writeFileSync(file, ['first\n', 'second\n'][asked++] ?? '');
      return fromFile();
    };
    server.faults.push({ status: 401 });
    await using outlet = await open({ token });
    await outlet.send(transaction(1));
    expect(await outlet.flush(10)).toMatchObject({ delivered: 1 });
    expect(server.tokens).toEqual(['Bearer first', 'Bearer second']);
    rmSync(file);
    await expect(fromFile()).rejects.toMatchObject({ code: 'E_FILE' });
    expect(await secretFrom(undefined, 'BEDSIDE_NO_SUCH_SECRET')()).toBeUndefined();
  });

  it('passes over a damaged file of the queue', async () => {
    const { url } = server;
    await server.close();
    {
      await using outlet = await open({}, url);
      await outlet.send(transaction(1));
      await outlet.send(transaction(2));
    }
    writeFileSync(join(queue(), waiting().sort()[0] ?? ''), '{"resourceType":');
    server = await FhirServer.start();
    await using again = await open();
    await again.flush(10);
    expect(server.count('DiagnosticReport')).toBe(1);
    expect(readdirSync(join(queue(), 'refused')).length).toBe(2);
  });

  it('has one process for its queue at a time', async () => {
    await using outlet = await open();
    await expect(open()).rejects.toMatchObject({ code: 'E_BUSY' });
    await outlet.close();
    // As a process that was killed leaves it.
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    writeFileSync(join(queue(), 'lock'), `${pid}\n`);
    await using again = await open();
    expect(again.state.waiting).toBe(0);
  });

  it.each([
    ['http://fhir.example.org/r4', 'plain HTTP'],
    ['https://user:secret@fhir.example.org/r4', 'password'],
    ['https://fhir.example.org/r4?key=secret', 'query'],
    ['ftp://fhir.example.org', 'neither https nor http'],
    ['https://', 'is none'],
  ])('is refused by its address: %s', async (url, said) => {
    await expect(open({}, url)).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining(said),
    });
    await expect(open({}, url)).rejects.not.toThrow('secret');
  });

  it('needs a queue', async () => {
    await expect(openOutlet(server.url)).rejects.toMatchObject({ code: 'E_USAGE' });
  });
});

describe('a process that is killed', () => {
  it('loses no result and makes none twice: before it is sent, while its answer is on the way, after it', async () => {
    const results = 6;
    const run = (): ReturnType<typeof spawn> =>
      spawn(
        process.execPath,
        [
          ...['--import', 'tsx', fileURLToPath(new URL('../test-support/send-results.ts', import.meta.url))],
          ...[server.url, queue(), String(results)],
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
    const ended = (child: ReturnType<typeof spawn>) => new Promise((done) => child.once('exit', done));
    // The server has made it and the answer has not come: the process does not know.
    server.faults.push('none', 'held');
    const first = run();
    const end = ended(first);
    await server.held();
    first.kill('SIGKILL');
    await end;
    server.release();
    expect(server.count('DiagnosticReport')).toBe(2);
    expect(waiting().length).toBeGreaterThan(0);
    const second = run();
    let said = '';
    second.stdout?.on('data', (text) => {
      said += text;
    });
    await ended(second);
    expect(JSON.parse(said)).toMatchObject({ waiting: 0, refused: 0 });
    expect(server.count('DiagnosticReport')).toBe(results);
    expect(server.count('Observation')).toBe(results);
    expect(waiting()).toEqual([]);
  });
});

describe.skipIf(!hasOpenssl('TLS to a FHIR server'))('a server over TLS', () => {
  it('is believed only with a certificate that is trusted', async () => {
    const tls = selfSigned(folder);
    const secure = await FhirServer.start(tls);
    try {
      const url = secure.url.replace('http:', 'https:');
      {
        await using outlet = await open({}, url);
        await outlet.send(transaction(1));
        const { delivered, problem } = await outlet.flush(0.3);
        expect(delivered).toBe(0);
        expect(problem).toContain('self-signed certificate');
      }
      await using trusting = await open({ ca: tls.cert }, url);
      expect(await trusting.flush(10)).toMatchObject({ delivered: 1 });
    } finally {
      await secure.close();
    }
  });
});
