// Bundles of the shared models, packed once and kept outside version control.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Bundle, openBundle } from '../../src/bundle/index.ts';
import { runCli } from './cli.ts';
import { dataPath, modelPath, SHARED_MODELS } from './shared.ts';

/** Where they are kept: BEDSIDE_BUNDLES, or `bench/.cache/bundles`. */
export const BUNDLES =
  process.env.BEDSIDE_BUNDLES ?? fileURLToPath(new URL('../.cache/bundles', import.meta.url));

const PER_CLASS = 20;
const VARIANTS = 96;

const COMMAND = `bedside pack MODEL --data DATA --per-class ${PER_CLASS} --variants ${VARIANTS} --precisions`;

/** The command that packs a shared model, as reports tell it. */
export const PACK_COMMAND = `${COMMAND} float32`;

/** The same, with eight-bit forms. */
export const PACK_INT8_COMMAND = `${COMMAND} float32,int8`;

/**
 * The bundle of a shared model; packs it first where there is none, which takes minutes.
 * @param int8 whether its stages have eight-bit forms; such a bundle is kept beside the other one
 */
export async function sharedBundle(name: string, int8 = false): Promise<Bundle> {
  const dir = join(BUNDLES, int8 ? `${name}-int8` : name);
  const found = await openBundle(dir).catch(() => undefined);
  if (found) return found;
  process.stderr.write(`packing ${name} to ${dir}\n`);
  const words = ['--per-class', `${PER_CLASS}`, '--variants', `${VARIANTS}`, '--out', dir];
  words.push('--precisions', int8 ? 'float32,int8' : 'float32');
  await runCli(['pack', modelPath(name), '--data', dataPath(shared(name).data), ...words]);
  return openBundle(dir);
}

/**
 * A bundle of a shared model with few levels, packed in less than a minute: for figures of the unpruned network, which is
 * the same in every bundle.
 */
export async function lightBundle(name: string): Promise<Bundle> {
  const dir = join(BUNDLES, `light-${name}`);
  const found = await openBundle(dir).catch(() => undefined);
  if (found) return found;
  process.stderr.write(`packing ${name} to ${dir}\n`);
  const words = ['--per-class', '5', '--variants', '2', '--ratios', '0,0.5', '--no-low-rank', '--out', dir];
  const how = ['--criterion', 'l1', '--precisions', 'float32'];
  await runCli(['pack', modelPath(name), '--data', dataPath(shared(name).data), ...how, ...words]);
  return openBundle(dir);
}

function shared(name: string) {
  const found = SHARED_MODELS.find((model) => model.name === name);
  if (!found) throw new Error(`no shared model '${name}'`);
  return found;
}
