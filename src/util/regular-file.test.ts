// What is read is a regular file: whole, by ranges, above 2 GiB; everything else is refused and never waited for.
import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RegularFile, readFileChecked, readTextChecked } from './regular-file.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regular-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('readFileChecked', () => {
  it('reads files and links to files', async () => {
    const path = join(folder, 'a.txt');
    await writeFile(path, 'grüße');
    await symlink(path, join(folder, 'link'));
    expect(await readTextChecked(join(folder, 'link'), 'text')).toBe('grüße');
  });

  it('refuses what is missing, a folder, empty or too large, by name', async () => {
    const empty = join(folder, 'empty');
    await writeFile(empty, '');
    await expect(readFileChecked(join(folder, 'nope'), 'model')).rejects.toThrow(
      /cannot read model .*nope: no such file/,
    );
    await expect(readFileChecked(folder, 'model')).rejects.toThrow(/it is a folder/);
    await expect(readFileChecked(empty, 'model')).rejects.toThrow(/model .*empty is empty/);
    expect(await readFileChecked(empty, 'model', { mayBeEmpty: true })).toHaveLength(0);
    await writeFile(join(folder, 'long'), 'long text');
    await expect(readFileChecked(join(folder, 'long'), 'fleet', { maxBytes: 4 })).rejects.toThrow(
      /fleet .*long has 9 B, more than the 4 B that are read/,
    );
  });

  it.skipIf(process.platform === 'win32')('refuses pipes, sockets and devices, and never waits', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const socket = join(folder, 's');
    const server = createServer().listen(socket);
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      await symlink(pipe, join(folder, 'to-pipe'));
      for (const [path, kind] of [
        [pipe, /it is a pipe/],
        [join(folder, 'to-pipe'), /it is a pipe/],
        [socket, /it is a socket/],
        ['/dev/zero', /it is a device/],
        ['/dev/null', /it is a device/],
      ] as const) {
        const reading = readFileChecked(path, 'model');
        await expect(reading).rejects.toThrow(kind);
        await expect(reading).rejects.toMatchObject({ code: 'E_FILE' });
      }
    } finally {
      server.close();
    }
  });

  it('never reads a file of the system that has no size to its end', async () => {
    if (process.platform === 'linux')
      await expect(readFileChecked('/proc/self/status', 'model')).rejects.toThrow(/is empty/);
  });
});

describe('RegularFile', () => {
  it('reads ranges of a file above 2 GiB', async () => {
    const path = join(folder, 'sparse');
    const handle = await open(path, 'w');
    const size = 2 ** 31 + 4096;
    await handle.write('end!', size - 4);
    await handle.close();
    const file = await RegularFile.open(path, 'dataset');
    try {
      expect(file.size).toBe(size);
      expect(Buffer.from(await file.read(size - 5, size)).toString()).toBe('\0end!');
      const lengths: number[] = [];
      for await (const piece of file.pieces(size - 10, size, 4)) lengths.push(piece.length);
      expect(lengths).toEqual([4, 4, 2]);
    } finally {
      await file.close();
    }
  });

  it('refuses a range that memory does not hold before it reads', async () => {
    const path = join(folder, 'huge');
    const handle = await open(path, 'w');
    await handle.truncate(2 ** 43);
    await handle.close();
    await expect(readFileChecked(path, 'model')).rejects.toMatchObject({
      code: 'E_FILE',
      message: expect.stringMatching(/more than memory holds/),
    });
  });

  it('says when the file became shorter', async () => {
    const path = join(folder, 'shrinks');
    await writeFile(path, '0123456789');
    const file = await RegularFile.open(path, 'dataset');
    await writeFile(path, '01');
    await expect(file.read(0, 10)).rejects.toThrow(/became shorter/);
    await file.close();
  });
});
