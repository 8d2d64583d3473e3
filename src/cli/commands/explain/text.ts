// An explanation for people: a table of layers, and how long the pass took.
import type { Explanation } from '../../../app/explain/explanation.ts';
import { type Criterion, isAttribution } from '../../../explain/index.ts';
import { formatSeconds, plainLine, type TaskKind } from '../../../util/index.ts';
import { describeScoreRemarks } from '../../terminal/score-remarks.ts';
import { indent, table } from '../../terminal/tables.ts';

/** What is explained of tasks without classes. */
const EXPLAINED: { readonly [T in TaskKind]?: readonly [byLabel: string, byAnswer: string] } = {
  'multi-label': ['labels that each has', 'labels found'],
  segmentation: ['mask of each', 'mask found'],
  regression: ['values', 'values'],
  embedding: ['squared norm of the vector', 'squared norm of the vector'],
};
const TARGETS = { label: 'label', predicted: 'predicted class', mix: 'mix of classes' } as const;

/** Channels shown at each end of a layer's ranking. */
const SHOWN = 5;

/** The whole text. */
export function describeExplanation(path: string, criterion: Criterion, explanation: Explanation): string {
  const { samples, task, target, msPerSample, forwardMsPerSample, heatmaps, out } = explanation;
  return [
    plainLine(`${path}: ${criterion.name}, ${criterion.summary}`),
    `  ${samples} samples, ${criterion.needsSamples ? `explained for the ${(EXPLAINED[task] ?? [])[target === 'label' ? 0 : 1] ?? TARGETS[target]}` : 'not read by this criterion'}`,
    `  ${formatSeconds(msPerSample / 1000)} a sample; a forward run takes ${formatSeconds(forwardMsPerSample / 1000)}` +
      (isAttribution(criterion) ? ` (${(msPerSample / forwardMsPerSample).toFixed(1)} times)` : ''),
    '',
    indent(layerTable(explanation)),
    ...(out === undefined ? [] : ['', `written: ${plainLine(out)}`]),
    ...describeScoreRemarks(explanation.scoreRemarks ?? []),
    ...(heatmaps ? [`heatmaps of ${heatmaps.samples} samples: ${plainLine(heatmaps.index)}`] : []),
  ].join('\n');
}

/** Each layer with its most and least important channels. */
function layerTable({ layers }: Explanation): string {
  const rows = layers.map(({ name, scores }, i) => {
    const order = Array.from(scores.keys()).sort((a, b) => (scores[b] as number) - (scores[a] as number));
    const sum = (channels: readonly number[]): number =>
      channels.reduce((total, channel) => total + (scores[channel] as number), 0);
    const total = scores.reduce((all, value) => all + value, 0);
    const half = sum(order.slice(0, Math.ceil(order.length / 2)));
    return [
      String(i),
      name,
      String(scores.length),
      total > 0 ? `${((100 * half) / total).toFixed(0)} %` : '-',
      order.slice(0, SHOWN).join(' '),
      order.slice(-SHOWN).join(' '),
    ];
  });
  return table(['>#', 'layer', '>channels', '>best half holds', 'highest channels', 'lowest channels'], rows);
}
