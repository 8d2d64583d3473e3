// Bundles as folders: written and opened again, replaced, damaged, and written by a process that is killed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiledFile } from '../../test/support/compiled.ts';
import { run } from '../channels/test-support/net.ts';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { rounds } from '../util/test-support/rounds.ts';
import { assembleModel } from './assemble.ts';
import { MANIFEST_FILE } from './manifest.ts';
import { openBundle } from './read.ts';
import { sealed } from './seal.ts';
import { oldAndNew } from './test-support/old-and-new.ts';
import { tableWeight } from './weight-names.ts';
import { type BundleContents, writeBundle } from './write.ts';

const [OLD, NEW] = oldAndNew();

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bedside-bundle-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

let folders = 0;
const freshFolder = (): string => join(root, String(folders++), 'bundle');

async function written(contents: BundleContents = OLD): Promise<string> {
  const dir = freshFolder();
  await writeBundle(dir, contents);
  return dir;
}

/** What a manifest's bytes say, but for their hash. */
function unsealed(text: string): object {
  const { sha256: _, ...rest } = JSON.parse(text) as Record<string, unknown>;
  return rest;
}

function changedAt(bytes: Uint8Array, at: number, bits: number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[at] = (bytes[at] as number) ^ bits;
  return changed;
}

const coded = (code: string, message: RegExp | string = '') =>
  expect.objectContaining({ code, message: expect.stringMatching(message), hint: expect.any(String) });

describe('a bundle', () => {
  it('is opened as it was written', async () => {
    const dir = freshFolder();
    const manifest = await writeBundle(dir, OLD);
    const bundle = await openBundle(dir);
    expect(bundle.manifest).toEqual(manifest);
    expect(bundle.dir).toBe(dir);
    expect(new Map([...bundle.tensors].sort())).toEqual(new Map([...OLD.tensors].sort()));
    expect(bundle.grouping.groups.map((group) => group.channels)).toEqual([32, 32]);
    expect(await run(assembleModel(bundle, [0, 0]))).toEqual(await run(OLD.model));
    expect((await readdir(dir)).sort()).toEqual([MANIFEST_FILE, manifest.model.file, manifest.weights.file]);
  });

  it('is the same to the byte when written twice, and has an identity of its own', async () => {
    const bundles = await Promise.all(
      [OLD, OLD, NEW].map(async (contents) => openBundle(await written(contents))),
    );
    const [first, second, other] = bundles.map((bundle) => bundle.sha256);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect([second === first, other === first]).toEqual([true, false]);
  });

  it('is refused with a weight that is not finite, by its name, before anything is written', async () => {
    const dir = freshFolder();
    const [name, tensor] = must([...OLD.tensors][0], 'a tensor');
    const data = tensor.data.with(1, Number.NaN);
    const tensors = new Map(OLD.tensors).set(name, { ...tensor, data });
    await expect(writeBundle(dir, { ...OLD, tensors })).rejects.toThrow(coded('E_BUNDLE', `'${name}'.*NaN`));
    await expect(readdir(dir)).rejects.toThrow('ENOENT');
  });

  it('is replaced by another, and nothing of it stays', async () => {
    const dir = await written();
    await writeFile(join(dir, 'notes.txt'), 'ours');
    await writeFile(
      join(dir, '.model-0123456789ab.onnx.0123456789ab.tmp'),
      'left by a writer that was killed',
    );
    const { model, weights } = await writeBundle(dir, NEW);
    expect((await openBundle(dir)).manifest.name).toBe('new');
    expect((await readdir(dir)).sort()).toEqual(
      [MANIFEST_FILE, model.file, 'notes.txt', weights.file].sort(),
    );
  });

  it('that is replaced while it is read is read again', async () => {
    const dir = await written();
    const reading: Promise<string>[] = [];
    for (let turn = 0; turn < 8; turn++) {
      for (let reader = 0; reader < 3; reader++)
        reading.push(openBundle(dir).then(({ manifest }) => manifest.name));
      await writeBundle(dir, turn % 2 === 0 ? NEW : OLD);
    }
    for (const name of await Promise.all(reading)) expect(['old', 'new']).toContain(name);
  });

  it('is not written when its parts do not agree, or where there is a file', async () => {
    const dir = await written();
    const name = tableWeight('b', 2);
    const tensors = new Map(OLD.tensors);
    tensors.delete(name);
    await expect(writeBundle(dir, { ...NEW, tensors })).rejects.toThrow(
      coded('E_BUNDLE', `no tensor '${name}'`),
    );
    const manifest = { ...NEW.manifest, ratios: [0, 0.5] };
    await expect(writeBundle(dir, { ...NEW, manifest })).rejects.toThrow(
      coded('E_BUNDLE', /groups\[0\]\.counts/),
    );
    expect((await openBundle(dir)).manifest.name).toBe('old');
    const file = join(root, 'file');
    await writeFile(file, '');
    await expect(writeBundle(file, OLD)).rejects.toThrow(coded('E_OUTPUT'));
  });
});

describe('opening', () => {
  it('refuses folders that are no bundle', async () => {
    await expect(openBundle(join(root, 'nowhere'))).rejects.toThrow(coded('E_BUNDLE', /has no bundle\.json/));
    const dir = await written();
    await expect(openBundle(join(dir, MANIFEST_FILE))).rejects.toThrow(coded('E_BUNDLE'));
    for (const text of ['', '{', 'null', '7', '{"format":"other"}', '\xff']) {
      await writeFile(join(dir, MANIFEST_FILE), text, 'latin1');
      await expect(openBundle(dir)).rejects.toThrow(coded('E_BUNDLE', /is not a bundle's manifest/));
    }
  });

  it('refuses a newer version before it looks at anything else', async () => {
    const dir = await written();
    await writeFile(join(dir, MANIFEST_FILE), '{"format":"bedside-bundle","version":5}');
    await expect(openBundle(dir)).rejects.toThrow(coded('E_BUNDLE_VERSION', /is of version 5; .* up to 4/));
  });

  it('refuses a missing file', async () => {
    for (const part of ['model', 'weights'] as const) {
      const dir = freshFolder();
      const { file } = (await writeBundle(dir, OLD))[part];
      await rm(join(dir, file));
      await expect(openBundle(dir)).rejects.toThrow(coded('E_BUNDLE_MISSING', `${file} is missing`));
    }
  });

  it('refuses any changed, added or missing byte of a part', async () => {
    const random = new Random(1);
    const dir = freshFolder();
    const manifest = await writeBundle(dir, OLD);
    for (const part of [manifest.model, manifest.weights]) {
      const path = join(dir, part.file);
      const original = await readFile(path);
      for (let i = 0; i < 10; i++) {
        const at = random.integer(original.length);
        const changed = Buffer.from(original);
        changed[at] = (original[at] as number) ^ (1 << random.integer(8));
        for (const bytes of [changed, original.subarray(0, at), Buffer.concat([original, Buffer.of(0)])]) {
          await writeFile(path, bytes);
          await expect(openBundle(dir)).rejects.toThrow(coded('E_BUNDLE_HASH', part.file));
        }
      }
      await writeFile(path, original);
    }
    await openBundle(dir);
  });

  it('refuses a manifest that does not fit its model, and a path out of the folder', async () => {
    const dir = await written();
    const path = join(dir, MANIFEST_FILE);
    const text = await readFile(path, 'utf8');
    const edited = async (from: string, to: string, message: RegExp): Promise<void> => {
      expect(text).toContain(from);
      await writeFile(path, sealed(unsealed(text.replace(from, to))));
      await expect(openBundle(dir)).rejects.toThrow(coded('E_BUNDLE', message));
    };
    await edited('"classes": 3', '"classes": 4', /recall has 3 entries: expected 4/);
    await edited('"name": "input"', '"name": "image"', /stages\[0\]\.input/);
    await edited('"share": 1', '"share": 0.5', /share of group 0/);
    await edited('"file": "model-', '"file": "../model-', /model\.file is "\.\.\/model-.*without a path/);
    await edited('"dataset": "random"', '"dataset": 7', /provenance\.dataset is 7/);
  });

  it('refuses any changed, added or missing byte of the manifest, and files that have lost their hash', async () => {
    const dir = await written();
    const path = join(dir, MANIFEST_FILE);
    const original = await readFile(path);
    const refused = async (bytes: Uint8Array): Promise<void> => {
      await writeFile(path, bytes);
      await expect(openBundle(dir)).rejects.toMatchObject({
        code: expect.stringMatching(/^E_BUNDLE(_HASH|_VERSION)?$/),
      });
    };
    const random = new Random(2);
    for (let i = 0; i < 20; i++) {
      const at = random.integer(original.length);
      await refused(changedAt(original, at, 1 << random.integer(8)));
    }
    for (const [from, to] of [
      ['"accuracy": 0.9', '"accuracy": 0.8'],
      ['  "sha256": "', '"sha256": "'],
    ] as const) {
      await writeFile(path, original.toString().replace(from, to));
      await expect(openBundle(dir)).rejects.toThrow(coded('E_BUNDLE_HASH', /not as it was written/));
    }
    await writeFile(path, JSON.stringify(unsealed(original.toString())));
    await expect(openBundle(dir)).rejects.toThrow(coded('E_BUNDLE_HASH', /does not end with its SHA-256/));
    await writeFile(path, original);
    await openBundle(dir);
  });

  it('takes a bundle of version 1, whose manifest has no hash, and writing it again adds one', async () => {
    const dir = await written();
    const path = join(dir, MANIFEST_FILE);
    const text = await readFile(path, 'utf8');
    await writeFile(path, JSON.stringify({ ...unsealed(text), version: 1 }, null, 2));
    const { manifest } = await openBundle(dir);
    expect(manifest.version).toBe(1);
    await writeBundle(dir, { ...OLD, manifest });
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it('reads through a link to the folder', async () => {
    const dir = await written();
    const moved = `${dir}-moved`;
    await rename(dir, moved);
    await symlink(moved, dir);
    expect((await openBundle(dir)).manifest.name).toBe('old');
  });
});

describe('a writer that is killed', () => {
  it('leaves the old bundle or the new one at any moment', async () => {
    const dir = await written();
    const script = await compiledFile(new URL('test-support/write-forever.ts', import.meta.url).href);
    const random = new Random(5);
    const found = new Set<string>();
    const left = new Set<number>();
    const weights = new Map([OLD, NEW].map(({ manifest, tensors }) => [manifest.name, tensors]));
    // At least a few times, and until both bundles were found, and files of an unfinished write.
    const done = (): boolean => found.size === 2 && [...left].some((files) => files > 3);
    for (let kill = 0; kill < rounds(2, 5) || (kill < 40 && !done()); kill++) {
      const child = spawn(process.execPath, [script, dir], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      await sleep(random.integer(50));
      child.kill('SIGKILL');
      const [code, signal] = await once(child, 'exit');
      expect([code, signal]).toEqual([null, 'SIGKILL']);
      const { manifest, tensors } = await openBundle(dir);
      found.add(manifest.name);
      left.add((await readdir(dir)).length);
      const name = tableWeight('b', 1);
      expect(tensors.get(name)).toEqual(must(weights.get(manifest.name), manifest.name).get(name));
    }
    expect(done()).toBe(true);
    await writeBundle(dir, OLD);
    const names = await readdir(dir);
    expect(names.length, names.join(' ')).toBe(3);
  });
});
