// explain and compare as a program calls them: samples in memory, a reporter, results without files.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateEcg } from '../../data/index.ts';
import { compare } from '../compare/compare.ts';
import { loadNetwork, type Network } from '../network/network.ts';
import type { Reporter } from '../reporter.ts';
import { explain } from './explain.ts';

const data = generateEcg({ perClass: 6, seed: 3 });
let network: Network;
let folder: string;

beforeAll(async () => {
  network = await loadNetwork(fileURLToPath(new URL('../../../models/ecg-demo.onnx', import.meta.url)));
  folder = await mkdtemp(join(tmpdir(), 'bedside-explain-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Keeps what a use case says. */
class Listener implements Reporter {
  readonly notes: string[] = [];
  readonly tasks = new Set<string>();

  note(text: string): void {
    this.notes.push(text);
  }

  progress(task: string): void {
    this.tasks.add(task);
  }
}

describe('explain', () => {
  it('scores every channel of samples in memory, and says how far it is', async () => {
    const listener = new Listener();
    const found = await explain(network, { data, perClass: 2 }, listener);
    expect(found).toMatchObject({ criterion: 'lrp-gamma', target: 'label', samples: 10, skipped: [] });
    expect(found.layers.length).toBeGreaterThan(3);
    for (const { scores } of found.layers) expect(scores.every((score) => score >= 0)).toBe(true);
    expect(listener.tasks).toContain('lrp-gamma');
    expect(found).not.toHaveProperty('perSample');
  });

  it('gives one value for each sample and channel, whose aggregate the scores are', async () => {
    const { layers, perSample } = await explain(network, { data, criterion: 'taylor', perSample: true });
    expect(perSample?.samples).toBe(30);
    for (const [i, { scores }] of layers.entries()) {
      const { channels = 0, values = new Float32Array() } = perSample?.layers[i] ?? {};
      expect(channels).toBe(scores.length);
      const mean = values.reduce((sum, value, k) => sum + (k % channels === 0 ? Math.abs(value) : 0), 0) / 30;
      expect(scores[0]).toBeCloseTo(mean, 6);
    }
  });

  it('writes scores and heatmaps where options name files', async () => {
    const [out, heatmaps] = [join(folder, 'scores.json'), join(folder, 'pictures')];
    const found = await explain(network, { data, perClass: 1, out, heatmaps, heatmapSamples: 1 });
    expect(found).toMatchObject({ out, heatmaps: { samples: 5, index: join(heatmaps, 'index.html') } });
    expect(await readdir(heatmaps)).toHaveLength(5 + 2);
    const written = JSON.parse(await readFile(out, 'utf8')) as { layers: unknown };
    expect(written.layers).toEqual(found.layers);
  });

  it('refuses what it cannot do, with a code', async () => {
    await expect(explain(network, { data, criterion: 'auto' })).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(explain(network, { data, criterion: 'l1', perSample: true })).rejects.toMatchObject({
      code: 'E_USAGE',
    });
    const unlabelled = { ...data, labels: undefined };
    await expect(explain(network, { data: unlabelled, target: 'label' })).rejects.toMatchObject({
      code: 'E_DATA',
    });
  });
});

describe('compare', () => {
  it('measures each criterion at each ratio, and writes the page that is asked for', async () => {
    const listener = new Listener();
    const report = join(folder, 'report.html');
    const options = { data, criteria: ['l1', 'random'], ratios: [0.25, 0.5], report, command: 'a <test>' };
    const found = await compare(network, options, listener);
    expect(found.rows.map(({ criterion, ratio }) => [criterion, ratio])).toEqual([
      ['l1', 0.25],
      ['l1', 0.5],
      ['random', 0.25],
      ['random', 0.5],
    ]);
    expect(found).toMatchObject({ calibration: 10, test: 20, labelled: true, imbalanced: false, report });
    expect(found.base).not.toHaveProperty('predictions');
    expect(listener.notes.join('\n')).toContain('2 criteria, 2 ratios, 1 draw');
    const page = await readFile(report, 'utf8');
    expect(page).toContain('a &lt;test&gt;');
    expect(page).toContain('data-series="l1"');
  });

  it('needs to know what is local', async () => {
    await expect(compare(network, { data, local: true })).rejects.toMatchObject({ code: 'E_USAGE' });
  });
});
