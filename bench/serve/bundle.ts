// The bundle that the study serves: the ECG network of the shared models, or the one that the package ships.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { journalOf, loadNetwork, packDrawn } from '../../src/app/index.ts';
import { type Bundle, openBundle } from '../../src/bundle/index.ts';
import { generateEcg } from '../../src/data/index.ts';
import { BUNDLES } from '../lib/bundles.ts';
import { runCli } from '../lib/cli.ts';
import { dataPath, modelPath } from '../lib/shared.ts';

/** Few levels and few samples: what is served at which size changes nothing of the gateway. */
const WORDS = ['--criterion', 'lrp-gamma', '--ratios', '0,0.5', '--variants', '8', '--no-low-rank'];
const NAME = 'ecg-resnet1d';
const SHIPPED = fileURLToPath(new URL('../../models/ecg-demo.onnx', import.meta.url));

/** Opens it; packs it first where there is none. */
export async function servedBundle(): Promise<{ readonly bundle: Bundle; readonly about: string }> {
  const isShared = existsSync(modelPath(NAME));
  const name = isShared ? NAME : 'ecg-demo';
  const about = isShared
    ? 'The network: the shared ECG network (`ecg-resnet1d.onnx`), packed.'
    : 'The network: the small one that the package ships, as the shared models are missing here.';
  const dir = join(BUNDLES, `serve-${name}`);
  const found = await openBundle(dir).catch(() => undefined);
  if (found) return { bundle: found, about };
  process.stderr.write(`packing ${name} to ${dir}\n`);
  if (isShared) {
    await runCli([
      'pack',
      modelPath(NAME),
      '--data',
      dataPath('mitdb'),
      ...WORDS,
      '--precisions',
      'float32',
      '--out',
      dir,
      '--name',
      name,
    ]);
  } else await packShipped(dir);
  return { bundle: await openBundle(dir), about };
}

async function packShipped(out: string): Promise<void> {
  const calibration = generateEcg({ perClass: 20, seed: 1, split: 'local' });
  const validation = generateEcg({ perClass: 40, seed: 2, split: 'local' });
  const options = {
    out,
    criterion: 'lrp-gamma',
    block: 8,
    seed: 1,
    ratios: [0, 0.5],
    variants: 8,
    threads: 1,
    precisions: ['float32'],
  } as const;
  await packDrawn(await loadNetwork(SHIPPED), { calibration, validation }, options, journalOf(undefined));
}
