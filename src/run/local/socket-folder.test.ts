import { chmod, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LocalFabric } from './local-fabric.ts';
import { MAX_SOCKET_PATH, makeSocketFolder } from './socket-folder.ts';

const { TMPDIR } = process.env;
const LONG = 'a-folder-with-a-long-name'.repeat(4);

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bedside-sockets-'));
  await mkdir(join(root, LONG));
  await mkdir(join(root, 'closed'));
  await chmod(join(root, 'closed'), 0o500);
});
afterEach(() => {
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe('the folder of sockets', () => {
  // A file in place of the folder stops even root.
  it.each([
    ['missing', () => join(root, 'nowhere')],
    ['too long', () => join(root, LONG)],
    ['a file', () => import.meta.filename],
    ['empty', () => ''],
  ])('is another one where TMPDIR is %s', async (_, path) => {
    process.env.TMPDIR = path();
    const folder = await makeSocketFolder();
    try {
      expect((await stat(folder.path)).mode & 0o777).toBe(0o700);
      const ends: string[] = [];
      const handlers = { message: () => ends.push('message'), lost: () => ends.push('lost') };
      const [a, b] = [new LocalFabric(folder.path), new LocalFabric(folder.path)];
      const [here, there] = [await a.join('a', handlers), await b.join('b', handlers)];
      expect(await readdir(folder.path)).toHaveLength(2);
      await here.close();
      await there.close();
    } finally {
      await folder.remove();
    }
    await expect(stat(folder.path)).rejects.toThrow('ENOENT');
  });

  it('is in TMPDIR where it fits', async () => {
    process.env.TMPDIR = root;
    const folder = await makeSocketFolder();
    expect(folder.path.startsWith(join(root, 'bedside-'))).toBe(true);
    await folder.remove();
  });
});

it('a folder that is too long for sockets is refused by name, and not by the system', async () => {
  const dir = join(root, LONG);
  const joined = new LocalFabric(dir).join('a', { message: () => {}, lost: () => {} });
  await expect(joined).rejects.toMatchObject({
    code: 'E_FABRIC',
    message: expect.stringMatching(
      new RegExp(`too long a path for sockets, by ${Buffer.byteLength(dir) + 13 - MAX_SOCKET_PATH} bytes`),
    ),
    hint: expect.stringContaining('shorter'),
  });
});
