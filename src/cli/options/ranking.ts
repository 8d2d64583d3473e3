// Options of how channels are ranked: --criterion, --criteria, --target, --aggregate, --normalise, --global, --steps, --protect.
import { type Command, Option } from 'commander';
import { AUTO, criterionOf, DEFAULT_CRITERION, explainingCriterion } from '../../app/ranking.ts';
import { type Criterion, parseAggregation } from '../../explain/index.ts';
import {
  type CompareCriteriaOptions,
  CRITERIA,
  CRITERION_PARAMETERS,
  findCriterion,
  NORMALISATIONS,
} from '../../prune/index.ts';
import { largest } from '../../util/index.ts';
import { count, items, names } from './numbers.ts';

/** --criterion of `explain`: any but `auto`. */
export function criterionOption(): Option {
  return new Option('--criterion <name>', `one of ${known()}; those with a parameter: name=parameter`)
    .argParser(explainingCriterion)
    .default(findCriterion(DEFAULT_CRITERION), DEFAULT_CRITERION);
}

/** --criterion of `prune`. */
export function criterionChoiceOption(): Option {
  return new Option(
    '--criterion <name>',
    `auto, which measures what a short list does and takes the best; or one of ${known()}; those with a parameter: ` +
      'name=parameter',
  )
    .argParser(criterionOf)
    .default(AUTO, AUTO.name);
}

/** --criteria of `compare`. */
export function criteriaOption(byDefault: string): Option {
  return new Option('--criteria <list>', `names separated by commas: auto, ${known()}`)
    .argParser(criteria)
    .default(criteria(byDefault), byDefault);
}

/** --target */
export function targetOption(): Option {
  return new Option(
    '--target <what>',
    'explain the label, the predicted class, or mix: all classes by their shares (those of --class-prior, otherwise those ' +
      'of the samples); default: the label, or the predicted class of samples without labels',
  ).choices(['label', 'predicted', 'mix']);
}

/** --aggregate */
export function aggregateOption(): Option {
  return new Option(
    '--aggregate <how>',
    'aggregation over samples: mean-absolute, absolute-mean, mean, positive, mean-square, square-mean or quantile=Q; ' +
      'default that of the criterion',
  ).argParser(parseAggregation);
}

/** --target, --aggregate, --normalise, --global, --steps and --protect. */
export function addRanking(command: Command): Command {
  return command
    .addOption(targetOption())
    .addOption(aggregateOption())
    .option('--global', 'rank the channels of all groups together instead of taking the same share of each')
    .addOption(
      new Option(
        '--normalise <how>',
        'with --global, what makes the scores of groups comparable: nothing, their largest, their sum, their Euclidean ' +
          'norm, or the multiply-accumulates that a channel saves; default l2',
      ).choices(NORMALISATIONS),
    )
    .option(
      '--steps <k>',
      'prune in this many steps, and score the remaining channels before each',
      count(1000),
      1,
    )
    .option(
      '--protect <layers>',
      'layers, separated by commas, whose channels all stay (inspect lists them)',
      names,
    );
}

/** Criteria by name, without repeats. */
export function criteria(text: string): CompareCriteriaOptions['criteria'] {
  return [...new Map(items(text).map((name) => [name, criterionOf(name)])).values()];
}

/** Criteria, one a line, for help. */
export function criteriaHelp(auto: boolean): string {
  const rows: (readonly [string, string])[] = CRITERIA.map(({ name, summary }) => {
    const parameter = CRITERION_PARAMETERS.get(name);
    return parameter === undefined ? [name, summary] : [`${name}[=…]`, `${summary} (${parameter})`];
  });
  if (auto)
    rows.unshift([
      AUTO.name,
      `whichever does best by measurement: of ${listed(AUTO.repaired)} if the network is repaired, otherwise of ${listed(AUTO.candidates)}`,
    ]);
  const width = largest(rows.map(([name]) => name.length));
  return `\nCriteria:\n${rows.map(([name, what]) => `  ${name.padEnd(width)}  ${what}`).join('\n')}`;
}

function known(): string {
  return listed(CRITERIA);
}

function listed(those: readonly Criterion[]): string {
  return those.map(({ name }) => name).join(', ');
}
