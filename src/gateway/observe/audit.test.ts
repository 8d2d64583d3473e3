// The audit log: what was written is found to be so, and nothing else is.
import { copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { anchorOf } from './audit-anchor.ts';
import { ANCHOR_FILE, AuditLog, hashOfLine } from './audit-log.ts';
import { AuditSigner, writeAuditKey } from './audit-signing.ts';
import { verifyAudit } from './audit-verify.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-audit-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const FIRST = 'audit-000000000000.jsonl';

async function written(count: number, rotateBytes?: number): Promise<void> {
  const log = await AuditLog.open(folder, { rotateBytes });
  await Promise.all(Array.from({ length: count }, (_, i) => log.append({ event: 'infer', samples: i })));
  await log.close();
}

async function lines(name = FIRST): Promise<string[]> {
  return (await readFile(join(folder, name), 'utf8')).trimEnd().split('\n');
}

describe('the audit log', () => {
  it('is one chain through restarts and files', async () => {
    await written(5, 300);
    await written(7, 300);
    const log = await AuditLog.open(folder, { rotateBytes: 300 });
    for (let i = 0; i < 6; i++) await log.append({ event: 'one by one' });
    await log.close();
    expect((await readdir(folder)).length).toBeGreaterThan(3);
    expect(await verifyAudit(folder)).toEqual({ ok: true, entries: 18, anchored: true, signatures: 'none' });
  });

  it.each<readonly [string, (lines: string[]) => string[], number]>([
    [
      'changed',
      (all) => all.map((line, i) => (i === 2 ? line.replace('"samples":2', '"samples":3') : line)),
      4,
    ],
    ['removed', (all) => all.filter((_, i) => i !== 2), 3],
    ['moved', ([a = '', b = '', c = '', ...rest]) => [a, c, b, ...rest], 2],
    ['added', ([a = '', ...rest]) => [a, a, ...rest], 2],
    ['broken', (all) => all.map((line, i) => (i === 1 ? line.slice(0, -3) : line)), 2],
    ['cut off at the end', (all) => all.slice(0, 4), 4],
    [
      'changed last',
      (all) => all.map((line, i) => (i === 5 ? line.replace('"samples":5', '"samples":6') : line)),
      6,
    ],
  ])('shows a line that was %s', async (_what, change, line) => {
    await written(6);
    await writeFile(join(folder, FIRST), `${change(await lines()).join('\n')}\n`);
    const check = await verifyAudit(folder);
    expect(check.ok).toBe(false);
    expect(check.firstBad).toMatchObject({ file: FIRST, line });
  });

  it('shows a log that was written anew, by the anchor on other media', async () => {
    await written(4);
    const anchor = join(folder, 'kept.json');
    await copyFile(join(folder, ANCHOR_FILE), anchor);
    let previous = '0'.repeat(64);
    const forged = (await lines()).map((line) => {
      const next = JSON.stringify({ ...JSON.parse(line), samples: 9, previous });
      previous = hashOfLine(next);
      return next;
    });
    await writeFile(join(folder, FIRST), `${forged.join('\n')}\n`);
    await writeFile(join(folder, ANCHOR_FILE), JSON.stringify({ count: 4, hash: previous }));
    expect(await verifyAudit(folder)).toMatchObject({ ok: true });
    expect(await verifyAudit(folder, anchor)).toMatchObject({ ok: false });
  });

  it('goes on after a crash in the middle of a line, and says so without an anchor', async () => {
    await written(3);
    const text = await readFile(join(folder, FIRST), 'utf8');
    await writeFile(join(folder, FIRST), `${text}{"seq":3,"ti`);
    await written(2);
    await rm(join(folder, ANCHOR_FILE));
    expect(await verifyAudit(folder)).toEqual({ ok: true, entries: 5, anchored: false, signatures: 'none' });
  });

  it('refuses a folder that is missing, or holds something else', async () => {
    await expect(AuditLog.open(join(folder, 'no'))).rejects.toMatchObject({ code: 'E_OUTPUT' });
    await expect(verifyAudit(join(folder, 'no'))).rejects.toMatchObject({ code: 'E_FILE' });
    await writeFile(join(folder, FIRST), 'something else\n');
    await expect(AuditLog.open(folder)).rejects.toMatchObject({ code: 'E_AUDIT' });
  });
});

describe('the anchor', () => {
  it('is not written over by a gateway that finds the log without its end, or written anew', async () => {
    await written(6);
    const kept = await readFile(join(folder, ANCHOR_FILE), 'utf8');
    const all = await lines();
    for (const left of [
      all.slice(0, 4),
      [...all.slice(0, 5), all[5]?.replace('"samples":5', '"samples":6')],
    ]) {
      await writeFile(join(folder, FIRST), `${left.join('\n')}\n`);
      await expect(AuditLog.open(folder)).rejects.toMatchObject({ code: 'E_AUDIT' });
      expect(await readFile(join(folder, ANCHOR_FILE), 'utf8')).toBe(kept);
      expect((await verifyAudit(folder)).ok).toBe(false);
    }
    await writeFile(join(folder, FIRST), `${all.join('\n')}\n`);
    await written(1);
    expect(await verifyAudit(folder)).toMatchObject({ ok: true, entries: 7 });
  });

  it('follows the last line within a second, without another one', async () => {
    const log = await AuditLog.open(folder);
    await log.append({ event: 'a' });
    await log.append({ event: 'b' });
    await expect
      .poll(async () => JSON.parse(await readFile(join(folder, ANCHOR_FILE), 'utf8')).count, {
        timeout: 3000,
      })
      .toBe(2);
    await log.close();
  });

  it('is kept in further places, whose failure is told and tried again', async () => {
    let kept: unknown[] = [];
    const failures: string[] = [];
    const store = {
      name: 'elsewhere',
      read: async () => [],
      write: async (value: unknown) => {
        kept.push(value);
        if (kept.length === 1) throw new Error('away');
      },
    };
    const log = await AuditLog.open(folder, {
      anchors: [store],
      onAnchorFailure: (name) => failures.push(name),
    });
    await log.append({ event: 'a' });
    await log.close();
    expect(failures).toEqual(['elsewhere']);
    expect(kept.at(-1)).toMatchObject({ count: 1 });
    const other = { ...store, read: async () => [{ count: 9, hash: 'f'.repeat(64) }] };
    expect((await verifyAudit(folder, { anchors: [other] })).firstBad?.reason).toMatch(/elsewhere counts 9/);
    kept = [];
    await expect(AuditLog.open(folder, { anchors: [other] })).rejects.toMatchObject({ code: 'E_AUDIT' });
    await expect(verifyAudit(folder, { anchors: [store] })).rejects.toMatchObject({ code: 'E_AUDIT' });
  });
});

describe('a signed log', () => {
  const keyed = async (name = 'key.pem') => {
    const path = join(folder, name);
    const { publicKey } = await writeAuditKey(path);
    return { publicKey, signer: await AuditSigner.read(path), path };
  };

  async function signed(count: number, signer: AuditSigner): Promise<void> {
    const log = await AuditLog.open(folder, { signer, rotateBytes: 700 });
    for (let i = 0; i < count; i++) await log.append({ event: 'infer', samples: i });
    await log.close();
  }

  it('is checked with the public key, also after the key was changed', async () => {
    const [first, second] = [await keyed(), await keyed('second.pem')];
    await signed(4, first.signer);
    await signed(3, second.signer);
    const publicKeys = [first.publicKey, second.publicKey];
    expect(await verifyAudit(folder, { publicKeys: [second.publicKey] })).toMatchObject({ ok: false });
    expect(await verifyAudit(folder, { publicKeys })).toEqual({
      ...{ ok: true, entries: 7, anchored: true, signatures: 'valid' },
    });
    expect(await verifyAudit(folder)).toMatchObject({ ok: true, signatures: 'unchecked' });
    expect((await stat(first.path)).mode & 0o777).toBe(0o600);
  });

  it('cannot be written anew without the key, nor with another one, nor without signatures', async () => {
    const { publicKey, signer } = await keyed();
    const other = (await keyed('other.pem')).signer;
    await signed(4, signer);
    const files = (await readdir(folder)).filter((name) => name.startsWith('audit-')).sort();
    const all = (await Promise.all(files.map((name) => lines(name)))).flat();
    for (const sign of [(json: string) => json, (json: string) => other.line(json)]) {
      let previous = '0'.repeat(64);
      const forged = all.map((line) => {
        const { signature: _, ...value } = JSON.parse(line) as Record<string, unknown>;
        const next = sign(JSON.stringify({ ...value, samples: 9, previous }));
        previous = hashOfLine(next);
        return next;
      });
      for (const name of files.slice(1)) await rm(join(folder, name), { force: true });
      await writeFile(join(folder, FIRST), `${forged.join('\n')}\n`);
      await writeFile(
        join(folder, ANCHOR_FILE),
        JSON.stringify(anchorOf({ count: 4, hash: previous }, other)),
      );
      expect(await verifyAudit(folder)).toMatchObject({ ok: true });
      expect((await verifyAudit(folder, { publicKeys: [publicKey] })).ok).toBe(false);
      await rm(join(folder, ANCHOR_FILE));
      const check = await verifyAudit(folder, { publicKeys: [publicKey] });
      expect(check.firstBad).toMatchObject({ line: 1, reason: expect.stringContaining('sign') });
    }
  });

  it('is not gone on with without a key, and no key begins in the middle of a log', async () => {
    const { signer, publicKey, path } = await keyed();
    await signed(2, signer);
    await expect(AuditLog.open(folder)).rejects.toMatchObject({ code: 'E_AUDIT' });
    await expect(AuditSigner.read(publicKey)).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(writeAuditKey(path)).rejects.toMatchObject({ code: 'E_OUTPUT' });
    await rm(join(folder, FIRST));
    await rm(join(folder, ANCHOR_FILE));
    await written(1);
    await expect(AuditLog.open(folder, { signer })).rejects.toMatchObject({ code: 'E_AUDIT' });
  });
});
