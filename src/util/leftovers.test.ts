// What a process leaves when it is stopped, and what the next one clears: with processes that are really stopped.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compiledFile } from '../../test/support/compiled.ts';
import { assertWritable, writeFileAtomic } from './files.ts';
import { clearLeftovers, temporaryFile, temporaryFolder } from './leftovers.ts';

let root: string;
let folder: string;
let next = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bedside-left-'));
});
beforeEach(async () => {
  folder = join(root, String(next++));
  await mkdir(folder);
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** The number of a process that has just ended. */
const deadPid = (): number => spawnSync(process.execPath, ['-e', '']).pid;

const named = (path: string, pid: number): string => path.replace(`-${process.pid}-`, `-${pid}-`);

/** A process in the middle of writing `out`, with a temporary folder of its own. */
async function writing() {
  const url = async (name: string): Promise<string> =>
    JSON.stringify(pathToFileURL(await compiledFile(new URL(name, import.meta.url).href)).href);
  const code = `
    import(${await url('../cli/terminal/signals.ts')}).then(async () => {
      const { throughTemporary } = await import(${await url('./files.ts')});
      const { removedAtExit, temporaryFolder } = await import(${await url('./leftovers.ts')});
      const { mkdtempSync } = await import('node:fs');
      removedAtExit(mkdtempSync(temporaryFolder(${JSON.stringify(folder)})));
      await throughTemporary(${JSON.stringify(join(folder, 'out'))}, () => {
        console.log('writing');
        return new Promise((resolve) => setTimeout(resolve, 60_000));
      });
    });`;
  const child = spawn(process.execPath, ['-e', code], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await once(child.stdout, 'data');
  expect((await readdir(folder)).map((name) => name.replace(/\w{6,12}(?=\.tmp|$)/, ''))).toHaveLength(2);
  return child;
}

describe('a process that is stopped while it writes', () => {
  it.each([
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s ends with %d and leaves nothing', async (signal, status) => {
    const child = await writing();
    child.kill(signal);
    expect(await once(child, 'exit')).toEqual([status, null]);
    expect(await readdir(folder)).toEqual([]);
  });

  it('by SIGKILL leaves what the next one that writes there clears', async () => {
    const child = await writing();
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await readdir(folder)).toHaveLength(2);
    await writeFileAtomic(join(folder, 'other'), 'x');
    expect(await readdir(folder)).toEqual(['other']);
  });
});

describe('clearing what others left', () => {
  it('takes files and folders of processes that are gone, and nothing else', async () => {
    const dead = deadPid();
    const file = temporaryFile(folder);
    const left = [named(file, dead), named(`${temporaryFolder(folder)}abc123`, dead)];
    const stay = [
      file, // of this process
      named(file, process.ppid), // of one that lives
      named(file, dead).replace(/bedside-\w{6}/, 'bedside-000000'), // of another machine
      named(file, dead).replace('.tmp', '.txt'),
      join(folder, '.0123456789ab.tmp'),
      join(folder, `bedside-${dead}`),
    ];
    for (const path of [left[0] as string, ...stay]) await writeFile(path, '');
    await mkdir(left[1] as string);
    await writeFile(join(left[1] as string, 'socket'), '');
    clearLeftovers(folder);
    const found = (await readdir(folder)).map((name) => join(folder, name));
    expect(found.toSorted()).toEqual(stay.toSorted());
  });

  it('is done before long work too, when an output is tried', async () => {
    await writeFile(named(temporaryFile(folder), deadPid()), '');
    await assertWritable(join(folder, 'out'));
    expect(await readdir(folder)).toEqual([]);
  });
});
