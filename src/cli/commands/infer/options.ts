// The options of `bedside infer`.
import { type Command, Option } from 'commander';
import { isServerUrl } from '../../../app/cluster/access.ts';
import type { DataOptions } from '../../../app/options.ts';
import { BATCH_WINDOW } from '../../../app/run/deployment-options.ts';
import type { CommonOptions } from '../../options/common.ts';
import { assertNoConflict, type Conflict } from '../../options/conflicts.ts';
import { addData } from '../../options/data.ts';
import {
  addDeployment,
  DEPLOYMENT_CONFLICTS,
  type DeploymentCommandOptions,
} from '../../options/deployment.ts';
import { assertFabric } from '../../options/nats.ts';
import { count, levelList, numberIn } from '../../options/numbers.ts';

type LevelsOption = 'free' | 'certified' | readonly number[];

/** As commander gives them. */
export interface InferCommandOptions extends CommonOptions, DataOptions, DeploymentCommandOptions {
  readonly levels: LevelsOption;
  readonly measure?: boolean;
  readonly freeze?: 'plan' | 'levels';
  readonly batch?: number;
  readonly batchWindow: number;
  readonly source?: string;
}

/** Adds them, but for the options of every command. */
export function addInferOptions(command: Command): void {
  addDeployment(command)
    .option(
      '--levels <which>',
      'certified: measured variants; free: any levels, measured before they run; or the level of each group, as in 0,3,1',
      levelsOption,
      'certified',
    )
    .option('--batch <n>', 'compute up to so many requests as one batch; default 1', count(1024))
    .option(
      '--batch-window <s>',
      'how long the first request of a batch waits for others',
      numberIn(0, 60, 'seconds'),
      BATCH_WINDOW,
    )
    .option(
      '--measure',
      'let all workers time every stage before planning; default: only those whose times are not known',
    )
    .option('--no-measure', 'plan by the figures of the bundle and the fleet alone')
    .addOption(
      new Option(
        '--freeze <what>',
        'plan: keep the first plan, whatever happens; levels: keep its levels, stages may move',
      ).choices(['plan', 'levels']),
    )
    .option(
      '--source <device>',
      'over NATS: the device with the input; default: a trusted worker of this machine',
    );
  addData(command, { split: 'default test', perClass: 'at most this many samples of each class' });
}

/** @throws BedsideError E_USAGE for options that contradict each other, and for a fabric that does not exist */
export function assertInferOptions(options: InferCommandOptions): void {
  assertNoConflict(options, CONFLICTS);
  const { fabric } = options;
  assertFabric(fabric);
}

const onServer = ({ fabric }: InferCommandOptions): boolean => isServerUrl(fabric);

const CONFLICTS: readonly Conflict<InferCommandOptions>[] = [
  {
    when: (options) => onServer(options) && options.levels === 'free',
    message: '--levels free are measured before they may run, which is not done over NATS',
    hint: 'bedside plan BUNDLE --fleet … --data … measures them and adds them to the bundle; then run without --levels',
  },
  {
    when: ({ fabric, source }) => fabric === 'local' && source !== undefined,
    message: '--source is for workers on NATS',
    hint: 'name the server with --fabric nats://host:port',
  },
  ...DEPLOYMENT_CONFLICTS,
];

function levelsOption(text: string): LevelsOption {
  return text === 'free' || text === 'certified' ? text : levelList(text);
}
