// What `pack` wrote, as text.
import type { CertifyResult } from '../../../app/bundle/certify.ts';
import type { PackResult } from '../../../app/bundle/pack.ts';
import {
  agreementTitle,
  describeUncounted,
  formatFigure,
  levelsText,
  measureWord,
  shownRows,
} from '../../../report/index.ts';
import { formatBytes, formatPercent, formatSeconds, hasClasses, plainLine } from '../../../util/index.ts';
import { frontierTable } from '../../terminal/frontier-table.ts';
import { describeScoreRemarks } from '../../terminal/score-remarks.ts';
import { indent, table } from '../../terminal/tables.ts';

/** Rows of the frontier that people are shown; --json has all. */
const SHOWN = 16;

/** The bundle, its measured variants, and how long packing took. */
export function describePacked(result: PackResult): string {
  const { manifest, accuracyModel: accuracy, auto, lowRank, seconds } = result;
  const { variants, measured } = manifest;
  const best = result.frontier.length;
  const ranked = auto ? `${result.criterion}, which auto took: ${auto.reason}` : result.criterion;
  const { total = 0, ...steps } = seconds;
  const times = [...Object.entries(steps), ['all', total] as const].map(([step, time]) => [
    step,
    formatSeconds(time),
  ]);
  return [
    `${plainLine(result.name)}: ${result.groups} groups at ${result.levels} levels (${result.ratios.join(', ')}), in blocks of ${result.block}`,
    ...describeNames(result),
    `ranked by ${ranked}`,
    ...describeGiven(result),
    ...describeScoreRemarks(result.scoreRemarks ?? []),
    ...Object.entries(result.unordered ?? {}).map(
      ([group, why]) => `group ${group} keeps its order: ${plainLine(why)}`,
    ),
    '',
    `${variants.length} variants measured on ${result.validation} validation samples; no other beats ${best} of them in ${measureWord(manifest)} and MACs`,
    ...(lowRank > 0 ? [`${lowRank} of them also have a low-rank correction`] : []),
    indent(frontierTable(manifest, shownRows(manifest, SHOWN))),
    ...describeEightBit(result),
    ...describeUncounted(manifest.uncounted),
    '',
    `accuracy of other level vectors is predicted: mean error ${accuracy.meanError.toFixed(3)}, at most ${accuracy.maxError.toFixed(3)} on ${accuracy.checked} variants that it was not fitted to`,
    ...(measured
      ? [`times: sums over stages run one by one, ${plainLine(measured.machine)}, one sample at a time`]
      : []),
    '',
    indent(table(['step', '>time'], times)),
    '',
    `written: ${plainLine(result.out)} (${formatBytes(result.bytes)}), ${plainLine(result.chart)}`,
  ].join('\n');
}

/** What classes are called, and who says so. */
function describeNames({ classes, manifest }: PackResult): string[] {
  if (classes) {
    const from = classes.from === 'data' ? `the data (${manifest.provenance.dataset})` : classes.from;
    return [plainLine(`classes or labels, as ${from} names them: ${classes.names.join(', ')}`)];
  }
  if (!hasClasses(manifest.task?.kind ?? 'single-label')) return [];
  return ['nothing names the classes: reports call them by number, such as class 0; --labels names them'];
}

/** What eight bits lose and gain, or why there are none. */
function describeEightBit({ manifest, eightBit, equalised, precisionChoice: choice }: PackResult): string[] {
  if (typeof eightBit === 'string') return [`float32 alone: ${plainLine(eightBit)}`];
  const [unpruned] = manifest.variants;
  const forms = manifest.eightBit ?? [];
  const with8 = forms.filter(({ layers }) => layers.length > 0).length;
  const timed = forms.flatMap(({ seconds }, l) => {
    const float32 = manifest.stages[l]?.seconds?.[0];
    return seconds && float32 ? [{ float32, int8: seconds[0] ?? 0 }] : [];
  });
  const total = (of: 'float32' | 'int8') => timed.reduce((sum, one) => sum + one[of], 0);
  const gain =
    timed.length > 0 ? `, ${(total('float32') / total('int8')).toFixed(1)} times as fast here` : '';
  const lost = unpruned?.eightBit
    ? `: unpruned ${formatFigure(manifest, unpruned.eightBit.accuracy)} in eight bits, ${formatFigure(manifest, unpruned.accuracy)} in float32`
    : '';
  return [
    ...(equalised.length > 0
      ? [plainLine(`channels equalised for eight bits before ${equalised.join(', ')}`)]
      : []),
    ...(choice.by === 'measurement' ? [`also in eight bits: ${plainLine(choice.reason)}`] : []),
    `${with8} of ${forms.length} stages also in eight bits${gain}; ${eightBit} variants measured so${lost}`,
  ];
}

/** What the network's file has and the bundle does not. */
function describeGiven({ dropped, freedBatch }: PackResult): string[] {
  const lines: string[] = [];
  if (dropped) {
    const only = dropped.nodes.length > 0 ? `, and ${dropped.nodes.length} nodes that only they need` : '';
    lines.push(plainLine(`left out: outputs behind the first (${dropped.outputs.join(', ')})${only}`));
  }
  if (freedBatch !== undefined) {
    lines.push(
      `the model fixes a batch of ${freedBatch}, the bundle none: tried on samples, the scores are the same`,
    );
  }
  return lines;
}

/** The variant that was added to a bundle. */
export function describeCertified(result: CertifyResult): string {
  const { levels, measure, seconds } = result;
  const measured = { accuracy: { measure } };
  const alike =
    agreementTitle(result) === 'same answer' ? 'same answer as unpruned' : 'agreement with unpruned';
  return [
    `${plainLine(result.name)}: levels ${levelsText(levels)}, now variant ${result.variant} of ${result.variants}`,
    `${measureWord(measured)} ${formatFigure(measured, result.accuracy)}, at least ${formatFigure(measured, result.lowerBound)} with 95 % confidence; ${alike} ${formatPercent(result.agreement)}`,
    `${formatPercent(result.macsFraction)} of the multiply-accumulates, ${formatBytes(result.weightBytes)} of weights`,
    ...describeUncounted(result.uncounted),
    ...(seconds === undefined ? [] : [`${formatSeconds(seconds)} a sample, by the bundle's tables`]),
  ].join('\n');
}
