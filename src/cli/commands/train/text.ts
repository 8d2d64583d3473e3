// A training run for people.
import type { TrainResult } from '../../../app/train.ts';
import { formatBytes, formatCount, formatPercent, formatSeconds } from '../../../util/index.ts';

/** What was learned, and how near the policy comes to the exact planner. */
export function describeTraining(result: TrainResult): string {
  const { out, card, finished, labels, steps, stepsPerSecond } = result;
  const { meanReward, gapToExact, worstGap, missed } = result;
  return [
    `${finished ? 'written' : 'stopped early; written as it is now'}: ${out} (${formatBytes(result.bytes)}), card ${card}`,
    '',
    `gap to exact    ${formatPercent(gapToExact)} on average on validation requests, at most ${formatPercent(worstGap)}; ${missed} without a plan`,
    `learned from    ${formatCount(labels)} plans of the exact planner, then ${formatCount(steps)} decisions of its own, ${formatCount(stepsPerSecond)} a second`,
    `mean reward     ${meanReward.toFixed(3)} a trial`,
    `took            ${formatSeconds(result.seconds)}`,
    ...(finished ? [] : ['', 'the same command with --resume continues']),
  ].join('\n');
}
