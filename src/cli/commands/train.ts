// `bedside train`: a policy that plans in a millisecond or two, for any fleet and any bundle.
import { type Command, InvalidArgumentError } from 'commander';
import { loadBundle } from '../../app/index.ts';
import { requestSource, type TrainingBudget, type TrainProgress } from '../../learn/index.ts';
import { assertWritable, formatBytes, formatCount, formatPercent, formatSeconds } from '../../util/index.ts';
import { EXIT, examples } from '../command-line.ts';
import { addCommon, type CommonOptions } from '../options/common.ts';
import { count } from '../options/numbers.ts';
import { Interrupt } from '../terminal/interrupt.ts';
import { Output, type Progress } from '../terminal/output.ts';
import { type TrainResult, trainPolicy } from '../train-run.ts';

interface TrainCommandOptions extends CommonOptions {
  readonly out: string;
  readonly bundles?: readonly string[];
  readonly steps?: number;
  readonly minutes?: number;
  readonly resume?: boolean;
}

/** Steps of the environment when nothing is said. */
const DEFAULT_STEPS = 1_000_000;
/** Labels for so many steps, and the range they are kept in. */
const STEPS_A_LABEL = 250;
const LABELS = [150, 4000] as const;
const EPOCHS = 12;

/** Adds the command to the program. */
export function addTrain(program: Command): void {
  const command = program
    .command('train')
    .summary('a policy that plans any fleet in a millisecond or two')
    .description(
      'Trains a network that plans: it sees a request, a fleet and a bundle as numbers and says which devices and levels ' +
        'are worth a look at every stage, and what the limits cost. First it imitates the exact planner on random ' +
        'requests, then it tries for itself and keeps what pays (PPO; choices that break a limit are masked). Writes the ' +
        'policy as ONNX and a card beside it: features, training, results. Ctrl-C stops after the unit of work that runs, ' +
        'writes what there is, and --resume goes on from there; so it does after a kill.',
    )
    .requiredOption('--out <file>', 'where to write the policy, as ONNX; its card goes beside it, as JSON')
    .option('--bundles <list>', 'every other request is of one of these bundles, on a random fleet', paths)
    .option('--steps <n>', `decisions to try, after imitation (${DEFAULT_STEPS} unless --minutes)`, count())
    .option('--minutes <m>', 'stop after so long instead; such a run does not repeat exactly', minutes)
    .option('--resume', 'go on from the checkpoint of a run that was stopped or killed');
  addCommon(command)
    .addHelpText(
      'after',
      examples(
        ['bedside train --out policy.onnx --minutes 30', 'in half an hour, for any bundle'],
        ['bedside train --out policy.onnx --minutes 30 --resume', 'go on after an interruption'],
        ['bedside train --out ward.onnx --bundles ecg/,chest/', 'with two bundles in mind'],
        ['bedside plan ecg/ --fleet ward.json --solver policy --policy policy.onnx', 'use it'],
      ),
    )
    .action((options: TrainCommandOptions) => train(options));
}

async function train(options: TrainCommandOptions): Promise<void> {
  const output = new Output(options);
  await assertWritable(options.out);
  const bundles = await Promise.all((options.bundles ?? []).map((path) => loadBundle(path, output)));
  const interrupt = Interrupt.of(output, 'the unit of work');
  try {
    const result = await output.during('training', (progress) =>
      trainPolicy({
        out: options.out,
        source: requestSource(bundles.map(({ manifest }) => manifest)),
        seed: options.seed,
        budget: budgetOf(options),
        resume: options.resume ?? false,
        stopped: () => interrupt.signal.aborted,
        onProgress: (found) => tell(progress, found),
      }),
    );
    output.result(result);
    output.say(describe(result));
    if (!result.finished) process.exitCode = EXIT.interrupted;
  } finally {
    interrupt.end();
  }
}

function budgetOf({ steps, minutes: limit }: TrainCommandOptions): TrainingBudget {
  const wanted = steps ?? DEFAULT_STEPS;
  const labels = Math.round(Math.min(LABELS[1], Math.max(LABELS[0], wanted / STEPS_A_LABEL)));
  return { labels, epochs: EPOCHS, steps: wanted, ...(limit === undefined ? {} : { minutes: limit }) };
}

const PHASES = {
  labels: 'asking the exact planner',
  imitation: 'imitating it',
  improvement: 'improving by trial',
} as const;

function tell(progress: Progress, found: TrainProgress): void {
  const parts = [
    PHASES[found.phase],
    ...(found.loss === undefined ? [] : [`loss ${found.loss.toFixed(3)}`]),
    ...(found.reward === undefined ? [] : [`reward ${found.reward.toFixed(3)}`]),
    ...(found.gap === undefined ? [] : [`gap ${formatPercent(found.gap)}`]),
    ...(found.stepsPerSecond === undefined ? [] : [`${formatCount(found.stepsPerSecond)} steps/s`]),
    ...(Number.isFinite(found.secondsLeft) ? [`${formatSeconds(found.secondsLeft)} left`] : []),
  ];
  progress.update(Math.round(1000 * found.share), 1000, parts.join(', '));
}

function describe(result: TrainResult): string {
  const { out, card, finished, labels, steps, stepsPerSecond, meanReward, gapToExact, worstGap, missed } =
    result;
  return [
    `${finished ? 'written' : 'stopped early; written as far as it came'}: ${out} (${formatBytes(result.bytes)}), card ${card}`,
    '',
    `gap to exact    ${formatPercent(gapToExact)} on average on held-back requests, at most ${formatPercent(worstGap)}; ${missed} without a plan`,
    `learned from    ${formatCount(labels)} plans of the exact planner, then ${formatCount(steps)} decisions of its own, ${formatCount(stepsPerSecond)} a second`,
    `mean reward     ${meanReward.toFixed(3)} a trial`,
    `took            ${formatSeconds(result.seconds)}`,
    ...(finished ? [] : ['', 'the same command with --resume goes on']),
  ].join('\n');
}

function paths(text: string): string[] {
  const list = text.split(',').filter((part) => part !== '');
  if (list.length === 0) throw new InvalidArgumentError('Expected folders of bundles, such as ecg/,chest/.');
  return list;
}

function minutes(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value > 0 && value <= 10_000) return value;
  throw new InvalidArgumentError('Expected minutes, more than 0.');
}
