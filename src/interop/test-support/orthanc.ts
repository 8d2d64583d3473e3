// An Orthanc of a test, with its DICOMweb service, in a folder of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PROGRAM = '/usr/sbin/Orthanc';
const PLUGIN_FOLDERS = ['/usr/share/orthanc/plugins', '/usr/lib/orthanc'];

/** The DICOMweb plug-in; undefined where Orthanc or it is not installed. */
export const DICOMWEB_PLUGIN = existsSync(PROGRAM)
  ? PLUGIN_FOLDERS.flatMap((folder) =>
      existsSync(folder)
        ? readdirSync(folder)
            .filter((name) => name.startsWith('libOrthancDicomWeb.so'))
            .map((name) => join(folder, name))
        : [],
    )[0]
  : undefined;

const USER = 'test';
const PASSWORD = 'only-for-tests';

/** An archive with studies of a test. */
export class Orthanc {
  readonly login = `${USER}:${PASSWORD}`;
  readonly #folder: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
  }

  static async start(): Promise<Orthanc> {
    const folder = mkdtempSync(join(tmpdir(), 'bedside-orthanc-'));
    mkdirSync(join(folder, 'db'));
    const own = new Orthanc(folder, await freePort());
    const configuration = {
      ...{ Name: 'TEST', StorageDirectory: join(folder, 'db'), IndexDirectory: join(folder, 'db') },
      ...{ Plugins: [DICOMWEB_PLUGIN], HttpPort: own.#port, DicomServerEnabled: false },
      ...{ RemoteAccessAllowed: false, AuthenticationEnabled: true, RegisteredUsers: { [USER]: PASSWORD } },
      DicomWeb: { Enable: true, Root: '/dicom-web/' },
    };
    writeFileSync(join(folder, 'orthanc.json'), JSON.stringify(configuration));
    await own.run();
    return own;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/dicom-web`;
  }

  /** Starts it, again too, with what it has stored. */
  async run(): Promise<void> {
    this.#child = spawn(PROGRAM, [join(this.#folder, 'orthanc.json')], { stdio: 'ignore' });
    for (let i = 0; i < 200; i++) {
      if (
        await this.get('/system').then(
          () => true,
          () => false,
        )
      )
        return;
      await sleep(50);
    }
    throw new Error('Orthanc did not start');
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    await ended;
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Stores a file, as a modality would. */
  async add(bytes: Uint8Array): Promise<void> {
    const answer = await fetch(this.#address('/instances'), {
      ...{ method: 'POST', headers: this.#headers, body: new Uint8Array(bytes) },
    });
    if (!answer.ok) throw new Error(`Orthanc answered ${answer.status}`);
  }

  /** An answer of its own interface, as JSON. */
  async get(path: string): Promise<unknown> {
    const answer = await fetch(this.#address(path), { headers: this.#headers });
    if (!answer.ok) throw new Error(`Orthanc answered ${answer.status}`);
    return await answer.json();
  }

  /** All instances: their attributes by keyword, without pixels. */
  async instances(): Promise<Record<string, unknown>[]> {
    const ids = (await this.get('/instances')) as string[];
    return await Promise.all(
      ids.map(async (id) => (await this.get(`/instances/${id}/simplified-tags`)) as Record<string, unknown>),
    );
  }

  /** How many series of a modality it has. */
  async countSeries(modality: string): Promise<number> {
    const answer = await fetch(this.#address('/tools/find'), {
      ...{ method: 'POST', headers: this.#headers },
      body: JSON.stringify({ Level: 'Series', Query: { Modality: modality } }),
    });
    return ((await answer.json()) as unknown[]).length;
  }

  /** The file of an instance. */
  async file(id: string): Promise<Uint8Array> {
    const answer = await fetch(this.#address(`/instances/${id}/file`), { headers: this.#headers });
    return new Uint8Array(await answer.arrayBuffer());
  }

  get #headers(): Record<string, string> {
    return { authorization: `Basic ${Buffer.from(this.login).toString('base64')}` };
  }

  #address(path: string): string {
    return `http://127.0.0.1:${this.#port}${path}`;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
