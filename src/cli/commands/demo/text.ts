// The demo for people: one paragraph for each step, and what to try next.
import { relative } from 'node:path';
import type { DemoResult } from '../../../app/demo/demo.ts';
import type { DemoStep } from '../../../app/demo/demo-steps.ts';
import type { Network } from '../../../app/network/network.ts';
import type { TwoSets } from '../../../app/samples/samples.ts';
import type { Grouping } from '../../../channels/index.ts';
import { describeUncounted } from '../../../report/index.ts';
import {
  formatBytes,
  formatCount,
  formatPercent,
  formatSeconds,
  largest,
  must,
} from '../../../util/index.ts';
import { higherHalf, sortedSparkline } from '../../terminal/sparkline.ts';
import { indent } from '../../terminal/tables.ts';
import { comparisonTables } from '../compare/tables.ts';
import { describePruning } from '../prune/text.ts';
import {
  describeEvent,
  describeFleet,
  describePacked,
  describePacking,
  describePlanners,
  describeRequest,
  describeStrategies,
  describeStreamHead,
  STRATEGIES_TITLE,
} from './fleet-text.ts';

/** The text of a step. */
export function describeStep(step: DemoStep): string {
  switch (step.step) {
    case 'network':
      return describeNetwork(step.network, step.grouping);
    case 'samples':
      return describeSamples(step.sets);
    case 'relevance':
      return describeRelevance(step);
    case 'comparing':
      return (
        `\n4. Which criterion finds the channels that can go? Each of ${step.criteria.length} scores all channels; the ` +
        'lowest are removed, nothing is retrained.\n'
      );
    case 'compared':
      return indent(comparisonTables(step.comparison, step.labels));
    case 'pruning':
      return (
        `\n5. Prune to ${formatPercent(step.macs)} of the multiply-accumulates. The test samples above are not for choosing. ` +
        'The criterion auto chooses by the samples for scoring alone: it ranks on one half and measures on the other. Then ' +
        'the layers behind the removed channels are repaired in closed form, from the same samples.\n'
      );
    case 'pruned': {
      const { before, after } = step.bytes;
      const size = `file size: ${formatBytes(before)} before, ${formatBytes(after)} after`;
      return `${indent(describePruning(step.pruned))}\n${indent(size)}`;
    }
    case 'packing':
      return describePacking(step.levels);
    case 'packed':
      return describePacked(step.packed);
    case 'fleet':
      return describeFleet(step.servers, step.margin);
    case 'streaming':
      return describeStreamHead(step.fleet);
    case 'request':
      return describeRequest(step.request, step.longest);
    case 'event':
      return describeEvent(step.event);
    case 'comparing strategies':
      return STRATEGIES_TITLE;
    case 'strategies':
      return describeStrategies(step.rows);
    case 'planners':
      return describePlanners(step.rows);
  }
}

/** The report, and commands to try next. `model` as it was typed. */
export function describeEnd(result: DemoResult, model?: string): string {
  const next: readonly (readonly [string, string])[] = [
    [`bedside inspect ${model ?? shown(result.network.name)}`, 'its layers and groups'],
    ['bedside compare MODEL --data DATA --report report.html', 'your own network and samples'],
    ['bedside prune MODEL --data DATA --macs 0.5 --out smaller.onnx', 'a smaller network'],
    [`bedside infer ${result.fleet.bundle} --data DATA`, 'answers of the packed network, on workers'],
    ['bedside --help', 'everything else'],
  ];
  const width = largest(next.map(([command]) => command.length));
  return (
    `\n10. The report, one page with the chart and every number: ${result.files.report}\n\n` +
    `Done in ${formatSeconds(result.seconds)}. What next:\n` +
    next.map(([command, what]) => `  ${command.padEnd(width)}  # ${what}`).join('\n')
  );
}

function describeNetwork({ name, costs, classifier }: Network, { groups }: Grouping): string {
  const channels = groups.reduce((sum, group) => sum + group.channels, 0);
  return (
    `1. The network: ${shown(name)}\n` +
    `   It reads samples of [${classifier.sampleShape.join(', ')}] and tells ${classifier.classes} classes apart, with ` +
    `${formatCount(costs.macs)} multiply-accumulates (MACs) and ${formatCount(costs.parameters)} parameters.\n` +
    `   ${channels} channels can be pruned. They form ${groups.length} groups: channels that a sum or a ` +
    `concatenation ties together can only go together.${describeUncounted(costs.uncounted)
      .map((line) => `\n   ${line}`)
      .join('')}`
  );
}

function describeSamples({ calibration, test }: TwoSets): string {
  return (
    `\n2. The samples: ${test.name}\n` +
    `   ${calibration.size} for scoring channels, ${test.size} others for measuring` +
    `${test.labels ? `, classes ${test.classNames.join(', ')}` : ', without labels'}.`
  );
}

type RelevanceStep = Extract<DemoStep, { step: 'relevance' }>;

function describeRelevance({ criterion, grouping, scores: relevance }: RelevanceStep): string {
  const rows = grouping.groups.map(({ id, channels }) => {
    const scores = must(relevance.get(id), `no scores of group ${id}`);
    return (
      `   group ${String(id).padStart(2)} ${String(channels).padStart(5)} channels  ` +
      `${sortedSparkline(scores, 48).padEnd(48)}  the higher half holds ${(higherHalf(scores) * 100).toFixed(0)} %`
    );
  });
  return [
    '\n3. What matters? Relevance flows back from the explained class to every channel (layer-wise relevance ' +
      `propagation, ${criterion}).\n   Channels of each group, the most relevant first:\n`,
    ...rows,
  ].join('\n');
}

/** A path relative to the working folder, if it is inside. */
function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}
