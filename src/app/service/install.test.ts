// Units of systemd, as systemd itself reads them.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayService, installService } from './install.ts';
import { assertVisible, unitText } from './units.ts';

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;
if (!hasSystemd) console.log('systemd-analyze is missing: units are not verified');

const command = [process.execPath];
let folder: string;
let file: string;
const seen: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-service-'));
  file = join(folder, 'key of 100 %.pem');
  await writeFile(file, '');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A bundle's folder that a service can see. */
const bundle = '/usr/share';

const gateway: GatewayService = {
  ...{ kind: 'gateway', command, bundles: [bundle], host: '0.0.0.0', port: 8500 },
};

describe('installService', () => {
  it('shows a unit, or writes it', async () => {
    const keys = { tokens: file, tlsCert: file, tlsKey: file };
    const shown = await installService({ ...gateway, ...keys }, { folder, write: false });
    expect(shown).toMatchObject({ name: 'bedside-gateway.service', written: false });
    await expect(stat(shown.path)).rejects.toThrow();
    const written = await installService({ ...gateway, ...keys }, { folder, write: true });
    expect(await readFile(written.path, 'utf8')).toBe(shown.text);
    seen.push(written.path);
    expect(shown.text).toContain(
      `serve ${bundle} --host 0.0.0.0 --port 8500 --tls-cert %d/tls-cert.pem --tls-key %d/tls-key.pem --tokens %d/tokens.json --audit %S/bedside-gateway/audit --log`,
    );
    // Paths of the operator's own: a percent sign is one.
    expect(shown.text).toContain(`LoadCredential=tls-key.pem:${folder}/key of 100 %%.pem`);
    for (const line of [
      ...['DynamicUser=yes', 'NoNewPrivileges=yes', 'ProtectSystem=strict', 'ProtectHome=yes'],
      ...['RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX', 'MemoryMax=2G', 'Restart=on-failure'],
      ...['StateDirectory=bedside-gateway bedside-gateway/audit'],
      'Environment=NODE_OPTIONS=--max-semi-space-size=64',
    ]) {
      expect(shown.text.split('\n')).toContain(line);
    }
    expect(shown.text).not.toMatch(/^MemoryDenyWriteExecute/m);
  });

  it('makes one of a worker, under a user and with a limit of the operator', async () => {
    const worker = { kind: 'worker', command, credentials: file, user: 'daemon', memory: '512M' } as const;
    const { path, text } = await installService(worker, { folder, write: true });
    seen.push(path);
    expect(text).toContain('worker --credentials %d/cluster.json');
    expect(text).toContain('User=daemon');
    expect(text).toContain('MemoryMax=512M');
    expect(text).not.toContain('DynamicUser');
  });

  it('refuses what would not start, and a gateway that everybody may ask', async () => {
    const refused = async (service: Parameters<typeof installService>[0], code: string): Promise<void> => {
      await expect(installService(service, { folder, write: true })).rejects.toMatchObject({ code });
    };
    await refused(gateway, 'E_USAGE');
    await refused({ ...gateway, host: '127.0.0.1', bundles: [] }, 'E_USAGE');
    await refused({ ...gateway, host: '127.0.0.1', bundles: [join(folder, 'none')] }, 'E_FILE');
    // Below /tmp, which the service does not see.
    const hidden = join(folder, 'bundle');
    await mkdir(hidden);
    await refused({ ...gateway, host: '127.0.0.1', bundles: [hidden] }, 'E_USAGE');
    await refused({ kind: 'worker', command }, 'E_USAGE');
    await refused({ kind: 'worker', command, credentials: join(folder, 'none') }, 'E_FILE');
    expect(() => assertVisible('/root/.nvm/node', 'the program')).toThrow(/the service does not see \/root/);
    expect(() => assertVisible('/rootless/node', 'the program')).not.toThrow();
  });

  it('quotes words as systemd reads them', () => {
    const text = unitText({
      command: ['/usr/bin/node', '/opt/with space/main.js'],
      words: ['serve', '/srv/a"b\\c', '/srv/$HOME', '/srv/50%d', '%S/x'],
      ...{ credentials: {}, memory: '1G', state: [], description: 'x' },
    });
    expect(text).toContain(
      String.raw`ExecStart=/usr/bin/node "/opt/with space/main.js" serve "/srv/a\"b\\c" "/srv/$$HOME" /srv/50%%d %S/x`,
    );
  });
});

describe.skipIf(!hasSystemd)('systemd', () => {
  it('reads the units without a complaint, and calls them safe', () => {
    expect(seen).toHaveLength(2);
    for (const path of seen) {
      const { stdout, stderr, status } = spawnSync('systemd-analyze', ['verify', '--man=no', path], {
        encoding: 'utf8',
      });
      const own = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('bedside-'));
      expect([status, own]).toEqual([0, []]);
      const words = ['security', '--offline=true', '--no-pager', path];
      const report = execFileSync('systemd-analyze', words, { encoding: 'utf8' });
      const [, exposure] = /exposure level for \S+: ([\d.]+)/.exec(report) ?? [];
      expect(Number(exposure)).toBeLessThan(2.5);
    }
  });
});
