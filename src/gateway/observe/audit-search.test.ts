// Searching an audit log: the same lines as reading all of it and choosing.
import { appendFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AuditLine, AuditLog } from './audit-log.ts';
import { type AuditQuery, searchAudit } from './audit-search.ts';

let folder: string;
let all: AuditLine[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-audit-search-'));
  // Small files, so that a search goes through several; long lines, so that chunks end within them.
  const log = await AuditLog.open(folder, { rotateBytes: 400_000 });
  for (let i = 0; i < 60; i++) {
    await Promise.all(
      Array.from({ length: 10 }, (_, j) =>
        log.append({
          event: j % 3 === 0 ? 'explain' : 'infer',
          caller: `caller-${i % 4}`,
          model: j % 2 === 0 ? 'ecg' : 'mnist',
          devices: Array.from({ length: 200 }, (_, d) => `device-${d}`),
          ...(j === 7 ? { error: 'E_DEADLINE' } : {}),
        }),
      ),
    );
  }
  await log.close();
  const names = (await readdir(folder)).filter((name) => name.endsWith('.jsonl')).sort();
  expect(names.length).toBeGreaterThan(2);
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  all = texts.flatMap((text) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditLine),
  );
  // A line that is just being written.
  await appendFile(join(folder, names.at(-1) ?? ''), '{"seq": 600, "time": "20');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it.each<[string, AuditQuery, (line: AuditLine) => boolean]>([
  ['everything', {}, () => true],
  ['a caller', { caller: 'caller-2' }, ({ caller }) => caller === 'caller-2'],
  ['a model and a code', { model: 'mnist', code: 'E_DEADLINE' }, ({ error }) => error === 'E_DEADLINE'],
  ['what went well', { code: 'ok', event: 'explain' }, ({ error, event }) => !error && event === 'explain'],
  ['what is before a line', { before: 250 }, ({ seq }) => seq < 250],
  ['nothing', { caller: 'nobody' }, () => false],
])('finds %s, the newest first', async (_what, query, fits) => {
  const { lines, more } = await searchAudit(folder, query, 1000);
  expect(more).toBe(false);
  expect(lines.map(({ line }) => line)).toEqual(all.filter(fits).reverse());
});

it('stops when enough is found, and goes on from there', async () => {
  const first = await searchAudit(folder, { model: 'ecg' }, 40);
  expect([first.lines.length, first.more]).toEqual([40, true]);
  const rest = await searchAudit(folder, { model: 'ecg', before: first.lines.at(-1)?.line.seq }, 1000);
  expect([...first.lines, ...rest.lines].map(({ line }) => line.seq)).toEqual(
    all
      .filter(({ model }) => model === 'ecg')
      .map(({ seq }) => seq)
      .reverse(),
  );
});

it('keeps to times, and reads no file before them', async () => {
  const from = Date.parse(all[400]?.time ?? '');
  const { lines, read } = await searchAudit(folder, { from }, 1000);
  expect(lines.map(({ line }) => line)).toEqual(all.filter(({ time }) => Date.parse(time) >= from).reverse());
  expect(read).toBe(lines.length);
  const to = Date.parse(all[0]?.time ?? '') - 1;
  expect((await searchAudit(folder, { to }, 1000)).lines).toEqual([]);
});
