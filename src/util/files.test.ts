// What may not be replaced by a file that is written.
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assertWritable, writeFileAtomic } from './files.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bedside-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A pipe stands for devices: a device that the test lost would be lost for the machine. */
function pipe(): string {
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  return path;
}

describe.skipIf(process.platform === 'win32')('what is no regular file', () => {
  it.each(['pipe', 'link'])('is neither replaced nor written: a %s', async (kind) => {
    const target = pipe();
    const path = kind === 'link' ? join(folder, 'link') : target;
    if (kind === 'link') symlinkSync(target, path);
    const refusal = { code: 'E_OUTPUT', message: `cannot write ${path}: it is no regular file` };
    await expect(writeFileAtomic(path, 'x')).rejects.toMatchObject(refusal);
    await expect(assertWritable(path)).rejects.toMatchObject(refusal);
    expect(lstatSync(target).isFIFO()).toBe(true);
    expect(lstatSync(path).isSymbolicLink()).toBe(kind === 'link');
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('is refused among devices before anything is computed', async () => {
    for (const path of ['/dev/null', '/dev/stdout', '/proc/self/comm']) {
      await expect(assertWritable(path)).rejects.toMatchObject({ code: 'E_OUTPUT' });
    }
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
  });
});

it('a regular file is replaced, and a folder is not', async () => {
  const path = join(folder, 'file');
  await writeFileAtomic(path, 'a');
  await writeFileAtomic(path, 'b');
  await assertWritable(path);
  await expect(writeFileAtomic(folder, 'x')).rejects.toMatchObject({
    message: `cannot write ${folder}: it is a folder`,
  });
});
