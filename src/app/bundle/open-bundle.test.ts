import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { writeBundle } from '../../bundle/internal.ts';
import { contentsOf } from '../../bundle/test-support/contents.ts';
import { randomNet } from '../../channels/test-support/random-net.ts';
import { KeptJournal } from '../reporter.ts';
import { loadBundle } from './open-bundle.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bedside-opened-'));
  await writeBundle(dir, contentsOf(randomNet(0)));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

it('a bundle whose manifest no hash covers is opened with a remark, any other without a word', async () => {
  const notes = vi.spyOn(KeptJournal.prototype, 'note').mockImplementation(() => {});
  const output = new KeptJournal();
  const path = join(dir, 'bundle.json');
  await loadBundle(dir, output);
  expect(notes).not.toHaveBeenCalled();
  const { sha256: _, ...rest } = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...rest, version: 1 }));
  await loadBundle(dir, output);
  expect(notes.mock.calls.flat().join()).toMatch(/version 1: .*not covered by a hash.*--certify/);
  notes.mockRestore();
});
