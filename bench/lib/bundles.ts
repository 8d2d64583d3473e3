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

/** Variants that bundles have unless fewer are asked for. */
export const VARIANTS = 96;

const commandFor = (variants: number, precisions: string): string =>
  `bedside pack MODEL --data DATA --per-class ${PER_CLASS} --variants ${variants} --precisions ${precisions}`;

/** The command that packs a shared model, as reports tell it. */
export const PACK_COMMAND = commandFor(VARIANTS, 'float32');

/** The same, with eight-bit forms. */
export const packInt8Command = (variants: number): string => commandFor(variants, 'float32,int8');

/**
 * The bundle of a shared model; packs it first where there is none, which takes minutes.
 * @param int8 whether its stages have eight-bit forms; such a bundle is kept beside the other one
 * @param variants bundles of other numbers of them are kept apart too
 */
export async function sharedBundle(name: string, int8 = false, variants = VARIANTS): Promise<Bundle> {
  const dir = join(BUNDLES, `${name}${int8 ? '-int8' : ''}${variants === VARIANTS ? '' : `-${variants}`}`);
  const found = await openBundle(dir).catch(() => undefined);
  if (found) return found;
  process.stderr.write(`packing ${name} to ${dir}\n`);
  const words = ['--per-class', `${PER_CLASS}`, '--variants', `${variants}`, '--out', dir];
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
