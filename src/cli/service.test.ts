// `bedside service` as it is called: units that are shown, options of the other service, a certificate as JSON.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runHere } from './test-support/in-process.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-service-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The object of a run under --json. */
async function json(...words: string[]) {
  const { status, stdout, stderr } = await runHere([...words, '--json']);
  return { status, stderr, value: JSON.parse(stdout) };
}

describe('service certificate', () => {
  it('writes a pair that serve takes, and keeps it unless it is told to renew', async () => {
    const dir = join(folder, 'tls');
    const made = await json('service', 'certificate', 'ward7.local', '--dir', dir, '--days', '30');
    expect(made).toMatchObject({ status: 0, stderr: '', value: { kept: false, hosts: ['ward7.local'] } });
    expect(await readFile(made.value.key, 'utf8')).toContain('PRIVATE KEY');
    const again = await json('service', 'certificate', 'ward7.local', '--dir', dir);
    expect(again).toMatchObject({ status: 2, value: { error: { code: 'E_USAGE' } } });
    expect(await json('service', 'certificate', '--renew', '--dir', dir)).toMatchObject({
      ...{ status: 0, value: { kept: true, hosts: ['ward7.local'] } },
    });
  });

  it('takes no more days than phones do', async () => {
    const { status, value } = await json('service', 'certificate', 'a', '--dir', folder, '--days', '398');
    expect([status, value.error.code]).toEqual([2, 'E_USAGE']);
  });
});

describe('service install', () => {
  it.each([
    [['worker', '--host', '0.0.0.0'], '--host is for gateways'],
    [['worker', '/srv/ecg'], '/srv/ecg is for gateways'],
    [['gateway', '/srv/ecg', '--tls-cert', 'c.pem'], '--tls-cert and --tls-key go together'],
    [['gateway', '/srv/ecg', '--write', '--dry-run'], 'contradict each other'],
    [['nurse'], 'Allowed choices are gateway, worker'],
  ])('refuses %j', async (words, says) => {
    const { status, value } = await json('service', 'install', ...words);
    expect([status, value.error.code]).toEqual([2, 'E_USAGE']);
    expect(value.error.message).toContain(says);
  });
});
