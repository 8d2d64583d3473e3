// The model card of a bundle, as Markdown: what it is, what it reads and answers, how well, where that was measured, and
// what it does not know. Everything is read from the manifest; nothing is computed or assumed.
import { type BundleManifest, SEALED_VERSION } from '../../bundle/index.ts';
import { type TotalCosts, taskOf } from '../../bundle/internal.ts';
import { formatBytes, formatCount, formatPercent, formatSeconds, VERSION } from '../../util/index.ts';
import { isRecord } from '../../util/internal.ts';
import { agreementTitle } from '../frontier/frontier.ts';
import { describeUncounted } from '../uncounted.ts';
import { accuracySection, predictionSection, recallSection } from './accuracy-sections.ts';
import { classNames } from './class-names.ts';
import { markdownList, markdownTable, markdownText } from './markdown.ts';
import { unknownsOf } from './unknowns.ts';

/** A bundle's manifest, its identity, and its costs with every group at each level. */
export interface CardBundle extends BundleManifest {
  readonly sha256: string;
  readonly levels: readonly (TotalCosts & { readonly level: number; readonly ratio: number })[];
}

/** Writes the card. The same bundle and version of bedside give the same text. */
export function modelCard(bundle: CardBundle): string {
  const sections: [title: string, text: string][] = [
    ['What it is', whatItIs(bundle)],
    ['Input', inputSection(bundle)],
    ['Output', outputSection(bundle)],
    ['Levels', levelSection(bundle)],
    ['Accuracy', accuracySection(bundle)],
    ['Recall', recallSection(bundle)],
    ['Other levels than the measured ones', predictionSection(bundle)],
    ['Precisions', precisionSection(bundle)],
    ['Times', timeSection(bundle)],
    ['Origin', originSection(bundle)],
    ['What this bundle does not know', markdownList(unknownsOf(bundle))],
    ['Use and limits', limits(bundle)],
    ['Files', fileSection(bundle)],
  ];
  const text = [
    `# Model card: ${markdownText(bundle.name)}`,
    '**Not for clinical use.** bedside is research software. This card repeats what the bundle holds; nobody has ' +
      'checked it for any clinical purpose.',
    ...sections.map(([title, text]) => `## ${title}\n\n${text}`),
    `Written by bedside ${VERSION} from bundle \`${bundle.sha256}\`.`,
  ].join('\n\n');
  return `${text}\n`;
}

function limits(bundle: CardBundle): string {
  return markdownList([
    'Not a medical device, and not for diagnosis or treatment.',
    'Figures hold for samples like the ones that measured. Other devices, wards, patients or preparation can change them ' +
      'without any sign in the answers. Measure on data of your own: `bedside evaluate BUNDLE --data …`.',
    `Smaller variants do not always answer as the unpruned network: see "${agreementTitle(bundle)}" above. A class can lose ` +
      'more than the whole: see the recall.',
    'A heatmap shows what the network used. It is no proof that the answer is right.',
  ]);
}

function whatItIs({ name, model, groups, stages, ratios, variants, task, ...rest }: CardBundle): string {
  const whole = rest.levels[0];
  const { kind } = taskOf({ task, model });
  return [
    `${markdownText(name)} is one network at many sizes: ${groups.length} groups of channels at ${ratios.length} levels each, ` +
      `${stages.length} stages that may run on different devices, ${variants.length} measured variants. It was pruned and ` +
      'repaired without retraining.',
    markdownTable(
      ['', ''],
      [
        ['task', kind],
        ['packed from', `${markdownText(model.source.file)}, SHA-256 \`${model.source.sha256}\``],
        ...(whole
          ? [
              [
                'unpruned',
                `${formatCount(whole.macs)} MACs a sample, ${formatBytes(whole.weightBytes)} of weights`,
              ],
            ]
          : []),
        ['packed', `${markdownText(rest.provenance.created)}`],
      ],
    ),
    ...describeUncounted(rest.uncounted).map(markdownText),
  ].join('\n\n');
}

function inputSection({ model, preprocessing, contract }: CardBundle): string {
  const { name, shape } = model.input;
  return [
    markdownTable(
      ['', ''],
      [
        ['input', markdownText(name)],
        ['shape of one sample', markdownText(`[${shape.join(', ')}]`)],
        ['element type', 'float32'],
        ['raw data', `${preprocessing.kind}: ${markdownText(preprocessing.description)}`],
      ],
    ),
    contract === undefined
      ? 'Nobody stated a contract: how raw data become this input is known only by the sentence above.'
      : `Stated by the contract:\n\n${markdownTable(['field', 'value'], fieldsOf(contract))}`,
  ].join('\n\n');
}

/** Fields of nested objects by their paths. */
function fieldsOf(value: Readonly<Record<string, unknown>>, path = ''): [string, string][] {
  return Object.entries(value).flatMap(([key, field]): [string, string][] => {
    const at = path === '' ? key : `${path}.${key}`;
    if (isRecord(field)) return fieldsOf(field, at);
    return field === undefined ? [] : [[markdownText(at), markdownText(JSON.stringify(field))]];
  });
}

function outputSection(bundle: CardBundle): string {
  const { model, task } = bundle;
  const { kind, outputShape, classes, threshold } = taskOf(bundle);
  const names = classNames(bundle);
  const values = kind === 'regression' || kind === 'embedding';
  return markdownTable(
    ['', ''],
    [
      ['output', markdownText(model.output.name)],
      ['shape of one sample', markdownText(`[${outputShape.join(', ')}]`)],
      ['meaning', meaningOf(kind, threshold)],
      ['scores', scoresOf(task, values)],
      ...(values ? [] : [['classes or labels', String(classes)]]),
      ...(names ? [['names, in order', names.map(markdownText).join(', ')]] : []),
    ],
  );
}

function scoresOf(task: CardBundle['task'], values: boolean): string {
  if (values) return 'values';
  if (task?.probabilities === undefined) return 'logits, as far as the bundle says';
  return task.probabilities ? 'probabilities' : 'logits';
}

function meaningOf(kind: string, threshold: number | undefined): string {
  if (threshold !== undefined) return `a label is present above ${threshold}`;
  if (kind === 'single-label') return 'the largest score is the class';
  return kind === 'segmentation' ? 'the largest score of a position is its class' : 'values, as they are';
}

function levelSection({ levels, groups }: CardBundle): string {
  const whole = levels[0]?.macs ?? 1;
  const timed = levels.some(({ seconds }) => seconds !== undefined);
  return [
    `Each of ${groups.length} groups may be at a level of its own. With all groups at the same:`,
    markdownTable(
      ['level', 'channels removed', 'MACs', 'share of MACs', 'weights', ...(timed ? ['time'] : [])],
      levels.map((row) => [
        String(row.level),
        formatPercent(row.ratio),
        formatCount(row.macs),
        formatPercent(row.macs / whole),
        formatBytes(row.weightBytes),
        ...(timed ? [row.seconds === undefined ? '' : formatSeconds(row.seconds)] : []),
      ]),
    ),
  ].join('\n\n');
}

function precisionSection({ eightBit, stages, variants }: CardBundle): string {
  if (!eightBit) return 'float32 only: no eight-bit form was made.';
  const forms = eightBit.map(({ layers, kept }, stage): string[] => [
    String(stage),
    layers.length === 0 ? 'none' : `${layers.length} of ${stages[stage]?.layers.length ?? 0} layers`,
    kept === undefined ? '' : markdownText(kept),
  ]);
  const measured = variants.filter((variant) => variant.eightBit !== undefined).length;
  return [
    `float32, and eight-bit integers by stage. ${measured} of ${variants.length} variants were measured in eight bits ` +
      '(above, where figures of eight bits are there). A plan may mix both.',
    markdownTable(['stage', 'eight-bit form', 'what stays float32, and why'], forms),
  ].join('\n\n');
}

function timeSection({ measured }: CardBundle): string {
  if (!measured) return 'Nothing was timed.';
  const { machine, provider, threads, batch, date } = measured;
  const place = `${markdownText(machine)}, ${markdownText(provider)}, ${threads} threads, batches of ${batch}`;
  return `Measured on ${place}, ${markdownText(date)}. Other machines differ; workers measure their own times.`;
}

function originSection({ provenance }: CardBundle): string {
  const { criterion, dataset, calibration, validation, labelled, seed, versions } = provenance;
  return markdownTable(
    ['', ''],
    [
      ['channels ranked by', markdownText(criterion)],
      ['data', markdownText(dataset)],
      ['ranked and repaired on', `${calibration} samples`],
      ['measured on', `${validation} other samples, ${labelled ? 'with labels' : 'without labels'}`],
      ['seed', String(seed)],
      [
        'versions',
        Object.entries(versions)
          .map((pair) => markdownText(pair.join(' ')))
          .join(', '),
      ],
    ],
  );
}

function fileSection({ sha256, version, model, weights }: CardBundle): string {
  return [
    markdownTable(
      ['file', 'bytes', 'SHA-256'],
      [
        ['bundle.json (the identity)', '', `\`${sha256}\``],
        ...[model, weights].map((part) => [
          markdownText(part.file),
          String(part.bytes),
          `\`${part.sha256}\``,
        ]),
      ],
    ),
    `Format version ${version}. ` +
      (version >= SEALED_VERSION
        ? 'Every byte was compared with these hashes when this card was written.'
        : 'Model and weights were compared with these hashes; bundle.json of this version has no hash of its own.'),
  ].join('\n\n');
}
