// Nothing leaves the room: commands that compute, under a tracer. `npm run check:network` does the same for a minute.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasStrace, traced } from '../scripts/network-trace.ts';
import { type Cli, compileCli } from './support/cli.ts';
import { copyPackedEcg, DEMO } from './support/packed.ts';

let cli: Cli;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-leaves-'));
  if (!hasStrace) return;
  cli = await compileCli();
  await copyPackedEcg(cli, folder);
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.skipIf(!hasStrace)('nothing leaves the room', { timeout: 180_000 }, () => {
  it.each([
    ['by requests to two workers', 'infer ecg --data ecg.npz --limit 10'],
    ['by planning with a policy', 'infer ecg --data ecg.npz --limit 2 --solver policy --workers 1'],
    ['by relevance and pictures', `explain ${DEMO} --data ecg.npz --per-class 1 --heatmaps pictures`],
  ])('%s', async (_, words) => {
    const main = [process.execPath, cli.main, ...words.split(' '), '--json', '--quiet'];
    const { status, stderr, network, left, tasks } = await traced(main, folder);
    expect({ status, stderr, network, left }).toEqual({ status: 0, stderr: '', network: [], left: [] });
    expect(tasks).toBeGreaterThan(1);
  });

  it('is what the tracer would show', async () => {
    const look = `require('dns').lookup('bedside.invalid', () => {}); require('fs').writeFileSync(require('os').tmpdir() + '/stray', '')`;
    const { network, left } = await traced([process.execPath, '-e', look], folder);
    expect(network.length).toBeGreaterThan(0);
    expect(left).toEqual(['stray']);
  });
});
