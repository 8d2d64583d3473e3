// The end of an audit log on a real NATS server: what a cut or rewritten log, with its own anchor, cannot hide.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hasNatsServer, TestServer } from '../../run/nats/test-support/nats-server.ts';
import { must } from '../../util/index.ts';
import { verifyAudit } from './audit-verify.ts';
import { openAudit } from './open-audit.ts';
import { NatsAnchor } from './server-anchor.ts';

describe.skipIf(!hasNatsServer)('the anchor on a server', () => {
  let server: TestServer;
  let folder: string;
  let notes: string[];
  const journal = { note: (text: string) => void notes.push(text) };
  const file = (role: 'coordinator' | 'observer' | 'client'): string =>
    must(
      server.cluster.credentials.find(({ identity }) => identity.role === role && !identity.name),
      'credentials',
    ).path;
  beforeAll(async () => {
    server = await TestServer.start();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    notes = [];
    folder = await mkdtemp(join(tmpdir(), 'bedside-anchor-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const settings = (extra: object = {}) => ({
    ...{ audit: folder, fabric: server.url, credentials: file('coordinator') },
    ...extra,
  });

  async function written(count: number): Promise<void> {
    const audit = must(await openAudit(settings(), journal), 'a log');
    for (let i = 0; i < count; i++) await audit.log.append({ event: 'infer', samples: i });
    await audit.close();
  }

  async function verified(address = server.url) {
    await using anchor = await NatsAnchor.open({ address, folder }, file('observer'));
    return await verifyAudit(folder, { anchors: [anchor] });
  }

  it('knows each end of the log by itself, with --fabric', async () => {
    await written(3);
    await written(2);
    expect(await verified()).toMatchObject({ ok: true, entries: 5, anchored: true });
    const address = /remembered at (tls:\S+)/.exec(notes.join('\n'))?.[1];
    expect(await verified(address)).toMatchObject({ ok: true, entries: 5 });
  });

  it('shows a log that was cut or written anew, though its own anchor fits', async () => {
    await written(4);
    const name = join(folder, 'audit-000000000000.jsonl');
    const lines = (await readFile(name, 'utf8')).trimEnd().split('\n');
    await rm(join(folder, 'anchor.json'));
    await writeFile(name, `${lines.slice(0, 2).join('\n')}\n`);
    expect(await verifyAudit(folder)).toMatchObject({ ok: true, entries: 2, anchored: false });
    expect((await verified()).firstBad?.reason).toMatch(/tls:.* counts 4 entries: 2 are missing/);
    // A gateway does not go on with it.
    await expect(openAudit(settings(), journal)).rejects.toMatchObject({ code: 'E_AUDIT' });
    await rm(name);
    const forger = must(await openAudit({ audit: folder }, journal), 'a log');
    for (let i = 0; i < 5; i++) await forger.log.append({ event: 'forged' });
    await forger.close();
    expect(await verifyAudit(folder)).toMatchObject({ ok: true, entries: 5, anchored: true });
    expect((await verified()).firstBad?.reason).toContain('written anew');
  });

  it('is not missed in silence', async () => {
    await expect(verified()).rejects.toMatchObject({ code: 'E_AUDIT' });
    const audit = must(await openAudit(settings({ credentials: file('client') }), journal), 'a log');
    expect(notes.join()).toMatch(/does not remember the end of the audit log: .*permission/i);
    await audit.close();
    const asked = settings({ credentials: file('client'), auditAnchor: `${server.url}/gateway/log` });
    await expect(openAudit(asked, journal)).rejects.toMatchObject({ code: 'E_FABRIC' });
  });

  it('goes on without a server that is away, says so, and catches up', async () => {
    const audit = must(await openAudit(settings(), journal), 'a log');
    await audit.log.append({ event: 'infer' });
    await server.kill();
    await audit.log.append({ event: 'infer' });
    while (!notes.some((note) => note.includes('cannot be written'))) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await server.run();
    const until = Date.now() + 10_000;
    do await audit.log.append({ event: 'infer' });
    while (
      Date.now() < until &&
      !(await verified().then(
        ({ ok }) => ok,
        () => false,
      ))
    );
    const entries = audit.log.head.count;
    await audit.close();
    expect(await verified()).toMatchObject({ ok: true, entries });
  }, 30_000);
});
