// Names that others chose (of layers, values, classes, files, records) never reach a terminal, a picture or a page as control
// characters; --json keeps them, as escapes.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeModel } from 'bedside/onnx';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runHere } from '../src/cli/test-support/in-process.ts';
import { smallModel } from './support/cli.ts';

const RED = '\x1b[31m';
/** Clears the screen, goes up and forges a line, turns text around, sets a title by one 8-bit character. */
const EVIL = [`${RED}a`, 'b\nbedside: all is well\r', 'c\u202egnp\x9b2J\u2028'] as const;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
const UNSAFE = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;

let folder: string;
let [model, data] = ['', ''];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-names-'));
  [model, data] = [join(folder, `m${RED}.onnx`), join(folder, 'images')];
  const { graph, ...rest } = smallModel();
  const nodes = graph.nodes.map((node, at) => ({ ...node, name: `${EVIL[at % 3]}${at}` }));
  await writeFile(model, writeModel({ ...rest, graph: { ...graph, nodes } }));
  for (const [at, name] of EVIL.entries()) {
    await mkdir(join(data, name), { recursive: true });
    for (let i = 0; i < 4; i++) {
      const pixels = Uint8Array.from({ length: 64 }, (_, k) => (k * 37 * (at + 1) + i * 11) % 256);
      const raw = { width: 8, height: 8, channels: 1 } as const;
      await sharp(pixels, { raw })
        .png()
        .toFile(join(data, name, `${i}.png`));
    }
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a command shows, which must be safe, and the same as JSON. */
async function shown(...words: readonly string[]): Promise<{ text: string; json: string }> {
  const plain = await runHere(words);
  const machine = await runHere([...words, '--json']);
  for (const text of [plain.stdout, plain.stderr, machine.stdout, machine.stderr])
    expect(text).not.toMatch(UNSAFE);
  return { text: `${plain.stdout}${plain.stderr}`, json: machine.stdout };
}

describe('names with control characters', () => {
  it('are escaped in what inspect shows, and whole in its JSON', async () => {
    const { text, json } = await shown('inspect', model);
    expect(text).toContain('\\u001b[31ma0');
    expect(text).not.toMatch(/^bedside: all is well/m);
    const { layers } = JSON.parse(json) as { layers: { name: string }[] };
    expect(layers.map(({ name }) => name)).toContain(`${EVIL[0]}0`);
  });

  it('are escaped in tables of classes', async () => {
    const { text, json } = await shown('evaluate', model, '--data', data);
    expect(text).toMatch(/c\\u202egnp\\u009b2J\\u2028/);
    expect(text).not.toMatch(/^bedside: all is well/m);
    expect(JSON.parse(json).classNames.toSorted()).toEqual([...EVIL].toSorted());
  });

  it('are escaped in errors', async () => {
    const { text, json } = await shown('evaluate', join(folder, EVIL[1]), '--data', data);
    expect(text.split('\n')).toHaveLength(3);
    expect(text).toMatch(/E_FILE.*b\\nbedside: all is well\\r/);
    expect(JSON.parse(json).error.message).toContain(EVIL[1]);
  });

  it('are escaped in pictures and pages', async () => {
    const [pictures, report] = [join(folder, 'pictures'), join(folder, 'report.html')];
    await shown('explain', model, '--data', data, '--heatmaps', pictures, '--heatmap-samples', '1');
    const few = ['--data', data, '--per-class', '2'];
    await shown('compare', model, ...few, '--criteria', 'l1', '--ratios', '.5', '--report', report);
    const files = (await readdir(pictures)).map((file) => join(pictures, file));
    expect(files.length).toBeGreaterThan(4);
    for (const file of [...files, report]) {
      expect(file).not.toMatch(UNSAFE);
      const text = await readFile(file, 'utf8');
      expect(text, file).not.toMatch(UNSAFE);
      expect(text, file).toMatch(/\\u(001b|202e)|all is well|Channels/);
    }
  });
});
