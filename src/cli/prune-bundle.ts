// `bedside prune BUNDLE`: one mix of levels as a model of its own. Nothing is scored or fitted here.
import { resolve } from 'node:path';
import { type LevelOptions, levelFields, loadBundle, networkAtLevels } from '../app/index.ts';
import { MANIFEST_FILE } from '../bundle/index.ts';
import { modelCosts, saveModel } from '../onnx/index.ts';
import { describeUncounted } from '../report/index.ts';
import { assertWritable, BedsideError, formatCount, formatPercent, plainLine } from '../util/index.ts';
import { describeLevels } from './options/levels.ts';
import type { Output } from './terminal/output.ts';
import { indent, table } from './terminal/tables.ts';

/** Which levels, and where to. */
export interface PruneBundleOptions extends LevelOptions {
  readonly out: string;
}

/** Options of `prune` that say how a model is scored, cut and repaired, as typed. */
const OF_MODELS: ReadonlyMap<string, string> = new Map([
  ['data', '--data'],
  ['macs', '--macs'],
  ['criterion', '--criterion'],
  ['reconstruct', '--no-reconstruct'],
  ['maxPositions', '--max-positions'],
  ['block', '--block'],
  ['testLimit', '--test-limit'],
  ['target', '--target'],
  ['aggregate', '--aggregate'],
  ['global', '--global'],
  ['normalise', '--normalise'],
  ['steps', '--steps'],
  ['protect', '--protect'],
  ['classPrior', '--class-mix'],
  ['split', '--split'],
  ['perClass', '--per-class'],
  ['limit', '--limit'],
  ['classes', '--classes'],
  ['records', '--records'],
  ['skipBad', '--skip-bad'],
]);

/**
 * @param typed whether an option was typed, by its name in the parsed options
 * @throws BedsideError E_USAGE for options that a bundle has no use for
 */
export function assertBundleOptions(path: string, typed: (option: string) => boolean): void {
  for (const [name, flag] of OF_MODELS) {
    if (!typed(name)) continue;
    throw new BedsideError(
      'E_USAGE',
      `${flag} is for models; ${path} is a bundle, ranked and repaired when it was packed`,
      {
        hint: `give --levels or --ratio alone; \`bedside evaluate ${path} --data …\` measures, \`bedside inspect ${path}\` lists levels`,
      },
    );
  }
}

/**
 * Writes the network of a bundle at the levels asked for.
 * @throws BedsideError E_USAGE without levels, or where the file would be part of the bundle; E_LEVELS; E_OUTPUT
 */
export async function pruneBundle(path: string, options: PruneBundleOptions, output: Output): Promise<void> {
  if (options.levels === undefined && options.ratio === undefined) {
    throw new BedsideError('E_USAGE', 'prune of a bundle needs either --levels or --ratio', {
      hint: `--ratio .5 takes the level nearest to half of every group; \`bedside inspect ${path}\` lists groups and levels`,
    });
  }
  await assertWritable(options.out);
  const bundle = await loadBundle(path, output);
  const { manifest } = bundle;
  const own = [MANIFEST_FILE, manifest.model.file, manifest.weights.file].map((file) => resolve(path, file));
  if (own.includes(resolve(options.out))) {
    throw new BedsideError('E_USAGE', `--out ${options.out} is part of the bundle, which would be damaged`, {
      hint: 'choose another file name',
    });
  }
  const mix = networkAtLevels(bundle, options);
  const costs = modelCosts(mix.model);
  await saveModel(mix.model, options.out, { externalData: costs.parameters * 4 > 1.9e9 });
  const whole = modelCosts(bundle.model);
  const { variant } = mix;
  output.result({
    out: options.out,
    name: manifest.name,
    bundle: bundle.sha256,
    ...levelFields(mix),
    macs: costs.macs,
    macsFraction: costs.macs / whole.macs,
    uncounted: costs.uncounted,
    parameters: costs.parameters,
    parametersFraction: costs.parameters / whole.parameters,
    measure: manifest.accuracy.measure,
    accuracy: variant?.accuracy ?? null,
    lowerBound: variant?.lowerBound ?? null,
    groups: manifest.groups.map(({ id, channels, layers }) => ({ id, channels, kept: mix.kept[id], layers })),
  });
  const measured = variant
    ? `${manifest.accuracy.measure} when packed: ${formatPercent(variant.accuracy)}, at least ${formatPercent(variant.lowerBound)} with 95 % confidence`
    : `not measured: bedside evaluate ${options.out} --data … does`;
  output.say(
    [
      plainLine(`${manifest.name}: ${describeLevels(mix)}`),
      '',
      table(
        ['', '>unpruned', '>written', ''],
        [
          ['MACs', formatCount(whole.macs), formatCount(costs.macs), formatPercent(costs.macs / whole.macs)],
          [
            'parameters',
            formatCount(whole.parameters),
            formatCount(costs.parameters),
            formatPercent(costs.parameters / whole.parameters),
          ],
        ],
      ),
      ...describeUncounted(costs.uncounted),
      '',
      measured,
      '',
      indent(
        table(
          ['>group', '>level', '>channels', '>kept', 'layers'],
          manifest.groups.map(({ id, channels, layers }) => [
            String(id),
            String(mix.levels[id]),
            String(channels),
            String(mix.kept[id]),
            layers.join(', '),
          ]),
        ),
      ),
      '',
      `written: ${options.out}`,
    ].join('\n'),
  );
}
