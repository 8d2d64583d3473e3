// `bedside inspect BUNDLE`: levels, groups, stages, measured variants, and where the bundle comes from.

import type { InspectBundleResult, LevelRow } from '../../../app/inspect/inspect.ts';
import { type BundleManifest, SEALED_VERSION } from '../../../bundle/index.ts';
import {
  classNames,
  describeUncounted,
  formatFigure,
  frontierRows,
  measureWord,
  shownRows,
} from '../../../report/index.ts';
import { formatBytes, formatCount, formatPercent, formatSeconds, plainLine } from '../../../util/index.ts';
import { frontierTable } from '../../terminal/frontier-table.ts';
import { indent, table } from '../../terminal/tables.ts';

/** What hashes vouch for. */
function coverage({ version }: BundleManifest): string {
  if (version >= SEALED_VERSION) return 'every byte as it was written';
  return 'model and weights as they were written, bundle.json not covered by a hash';
}

/** Where a bundle comes from, its levels, groups and stages, and its measured variants. */
export function describeBundle(path: string, result: InspectBundleResult): string {
  const { model, weights, groups, stages, accuracy, variants } = result;
  const best = frontierRows(result).length;
  const section = (title: string, text: string): string => `\n${title}\n${indent(text)}`;
  const { unpruned, maxError, meanError, fitted, checked } = accuracy;
  return [
    `${plainLine(`${path}: bundle ${result.name}`)}, version ${result.version}, ${formatBytes(model.bytes + weights.bytes)}, ${coverage(result)}`,
    originOf(result),
    section(`Levels, with every group at the same (${result.levels.length})`, levelTable(result.levels)),
    ...describeUncounted(result.uncounted).map((line) => `  ${line}`),
    section(
      `Groups, in the order of --levels (${groups.length})`,
      table(
        ['>group', '>channels kept, by level', 'layers'],
        groups.map(({ id, counts, layers: own }) => [String(id), counts.join(' '), own.join(', ')]),
      ),
    ),
    section(`Stages (${stages.length})`, stageTable(result)),
    section(
      `Measured variants (${variants.length}; ${best} that no other beats in accuracy and MACs)`,
      frontierTable(result, shownRows(result, 24)),
    ),
    `\nThe accuracy of other level vectors is predicted (${measureWord(result)} ${formatFigure(result, unpruned)} unpruned): from ${fitted} variants, ` +
      `checked on ${checked} others: mean error ${meanError.toFixed(3)}, at most ${maxError.toFixed(3)}`,
  ].join('\n');
}

/** Identity, network, samples and machine. */
function originOf(result: InspectBundleResult): string {
  const { sha256, model, task, preprocessing, provenance, measured } = result;
  const names = classNames(result);
  const engines = Object.entries(provenance.versions).map(([name, version]) => `${name} ${version}`);
  const rows = [
    ['identity', sha256],
    ['model', `${model.source.file}, ${model.source.sha256.slice(0, 12)}…`],
    ['input', describeInput(model.input)],
    task
      ? ['output', `${model.output.name} [${task.outputShape.join(', ')}], ${describeTask(task)}`]
      : ['output', `${model.output.name}, ${model.output.classes} classes`],
    ...(names ? [['classes or labels', names.join(', ')]] : []),
    ['preprocessing', `${preprocessing.kind}: ${preprocessing.description}`],
    ['ranked by', `${provenance.criterion}, on ${provenance.calibration} samples of ${provenance.dataset}`],
    [
      'measured on',
      `${provenance.validation} validation samples${provenance.labelled ? '' : ', without labels'}`,
    ],
    ['packed', `${provenance.created}, seed ${provenance.seed}, ${engines.join(', ')}`],
  ];
  if (measured) {
    const { machine, provider, threads, batch } = measured;
    rows.push(['times', `${machine}, ${provider}, ${threads} threads, batches of ${batch}`]);
  }
  const lines = table(['', ''], rows).split('\n').slice(1);
  return lines.map((line) => `  ${line}`).join('\n');
}

/** The input by name and shape, and what its numbers are. */
function describeInput({ name, shape, integers }: BundleManifest['model']['input']): string {
  return `${name} [${shape.join(', ')}]${integers === undefined ? '' : `, travels as integers of ${integers} bits`}`;
}

/** What a network is for. */
function describeTask({ kind, threshold }: NonNullable<BundleManifest['task']>): string {
  const above = threshold === undefined ? '' : `, present above ${threshold}`;
  return `${kind}${above}`;
}

/** Costs with every group at the same level. */
function levelTable(costs: readonly LevelRow[]): string {
  const whole = costs[0]?.macs ?? 1;
  const timed = isTimed(costs);
  return table(
    ['>level', '>ratio', '>MACs', '>share', '>weights', '>crossing', ...(timed ? ['>time'] : [])],
    costs.map((row) => [
      String(row.level),
      String(row.ratio),
      formatCount(row.macs),
      formatPercent(row.macs / whole),
      formatBytes(row.weightBytes),
      formatBytes(row.crossingBytes),
      ...(timed ? [row.seconds === undefined ? '' : formatSeconds(row.seconds)] : []),
    ]),
  );
}

/** Layers and costs of each stage, unpruned. */
function stageTable({ levels, stages, layers }: InspectBundleResult): string {
  const timed = isTimed(levels);
  return table(
    ['>stage', 'layers', '>MACs', '>weights', '>output', 'may be split by', ...(timed ? ['>time'] : [])],
    stages.map((stage) => {
      const own = layers.filter((layer) => layer.stage === stage.index);
      const sum = (of: (layer: (typeof own)[number]) => number): number =>
        own.reduce((total, layer) => total + of(layer), 0);
      return [
        String(stage.index),
        stage.layers.join(', '),
        formatCount(sum((layer) => layer.macs) + (stage.otherMacs ?? 0)),
        formatBytes(sum((layer) => layer.weightBytes + layer.biasBytes) + stage.otherBytes),
        formatBytes(stage.outputBytes),
        SPLITS[stage.split],
        ...(timed ? [stage.seconds?.[0] === undefined ? '' : formatSeconds(stage.seconds[0])] : []),
      ];
    }),
  );
}

function isTimed(costs: readonly LevelRow[]): boolean {
  return costs.some(({ seconds }) => seconds !== undefined);
}

const SPLITS: Readonly<Record<BundleManifest['stages'][number]['split'], string>> = {
  outputs: 'output channels',
  'partial-sums': 'inner channels, summed',
  none: '-',
};
