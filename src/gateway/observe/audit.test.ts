// The audit log: what was written is found to be so, and nothing else is.
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ANCHOR_FILE, AuditLog, hashOfLine } from './audit-log.ts';
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
    expect(await verifyAudit(folder)).toEqual({ ok: true, entries: 18, anchored: true });
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
    expect(await verifyAudit(folder)).toEqual({ ok: true, entries: 5, anchored: false });
  });

  it('refuses a folder that is missing, or holds something else', async () => {
    await expect(AuditLog.open(join(folder, 'no'))).rejects.toMatchObject({ code: 'E_OUTPUT' });
    await expect(verifyAudit(join(folder, 'no'))).rejects.toMatchObject({ code: 'E_FILE' });
    await writeFile(join(folder, FIRST), 'something else\n');
    await expect(AuditLog.open(folder)).rejects.toMatchObject({ code: 'E_AUDIT' });
  });
});
