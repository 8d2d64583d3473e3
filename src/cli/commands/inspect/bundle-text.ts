// `bedside inspect BUNDLE`: levels, groups, stages, measured variants, and where the bundle comes from.

import type { InspectBundleResult } from '../../../app/index.ts';
import { type BundleManifest, SEALED_VERSION } from '../../../bundle/index.ts';
import { describeUncounted, frontierRows, measureWord, shownRows } from '../../../report/index.ts';
import { formatBytes, formatCount, formatPercent, formatSeconds, plainLine } from '../../../util/index.ts';
import { frontierTable } from '../../frontier-table.ts';
import { indent, table } from '../../terminal/tables.ts';

/** What hashes vouch for. */
function coverage({ version }: BundleManifest): string {
  if (version >= SEALED_VERSION) return 'every byte as it was written';
  return 'model and weights as they were written, bundle.json not covered by a hash';
}

/** What a bundle holds. */
export function describeBundle(path: string, result: InspectBundleResult): string {
  const { sha256, levels: costs, ...manifest } = result;
  const { model, weights, groups, stages, layers, accuracy, variants, provenance, measured } = manifest;
  const whole = costs[0]?.macs ?? 1;
  const timed = costs.some(({ seconds }) => seconds !== undefined);
  const best = frontierRows(manifest).length;
  const section = (title: string, text: string): string => `\n${title}\n${indent(text)}`;
  const { unpruned, maxError, meanError, fitted, checked } = accuracy;
  const engines = Object.entries(provenance.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${plainLine(`${path}: bundle ${manifest.name}`)}, version ${manifest.version}, ${formatBytes(model.bytes + weights.bytes)}, ${coverage(manifest)}`,
    table(
      ['', ''],
      [
        ['identity', sha256],
        ['model', `${model.source.file}, ${model.source.sha256.slice(0, 12)}…`],
        ['input', `${model.input.name} [${model.input.shape.join(', ')}]`],
        ['output', `${model.output.name}, ${model.output.classes} classes`],
        ['preprocessing', `${manifest.preprocessing.kind}: ${manifest.preprocessing.description}`],
        [
          'ranked by',
          `${provenance.criterion}, on ${provenance.calibration} samples of ${provenance.dataset}`,
        ],
        [
          'measured on',
          `${provenance.validation} samples held apart${provenance.labelled ? '' : ', without labels'}`,
        ],
        ['packed', `${provenance.created}, seed ${provenance.seed}, ${engines.join(', ')}`],
        ...(measured
          ? [
              [
                'times',
                `${measured.machine}, ${measured.provider}, ${measured.threads} threads, batches of ${measured.batch}`,
              ],
            ]
          : []),
      ],
    )
      .split('\n')
      .slice(1)
      .map((line) => `  ${line}`)
      .join('\n'),
    section(
      `Levels, with every group at the same (${costs.length})`,
      table(
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
      ),
    ),
    ...describeUncounted(manifest.uncounted).map((line) => `  ${line}`),
    section(
      `Groups, in the order of --levels (${groups.length})`,
      table(
        ['>group', '>channels kept, by level', 'layers'],
        groups.map(({ id, counts, layers: own }) => [String(id), counts.join(' '), own.join(', ')]),
      ),
    ),
    section(
      `Stages (${stages.length})`,
      table(
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
      ),
    ),
    section(
      `Measured variants (${variants.length}; ${best} that no other beats in accuracy and MACs)`,
      frontierTable(manifest, shownRows(manifest, 24)),
    ),
    `\nOther mixes are predicted (${measureWord(manifest)} ${formatPercent(unpruned)} unpruned): from ${fitted} measured mixes, ` +
      `checked on ${checked} others: mean error ${meanError.toFixed(3)}, at most ${maxError.toFixed(3)}`,
  ].join('\n');
}

const SPLITS: Readonly<Record<BundleManifest['stages'][number]['split'], string>> = {
  outputs: 'output channels',
  'partial-sums': 'inner channels, summed',
  none: '-',
};
