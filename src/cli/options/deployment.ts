// The options of commands that deploy a bundle: which workers compute, and how requests are planned.
import { type Command, Option } from 'commander';
import { isAnchorAddress } from '../../app/cluster/anchors.ts';
import { SOLVERS, type SolverName } from '../../app/planners.ts';
import { type PlanRequest, PRIVACY_PRESETS } from '../../plan/index.ts';
import type { Conflict } from './conflicts.ts';
import { addCredentials } from './nats.ts';
import { count, numberIn } from './numbers.ts';
import { rawInputOption } from './raw-input.ts';

/** As commander gives them. */
export interface DeploymentCommandOptions {
  readonly fabric: string;
  readonly credentials?: string;
  readonly workers?: number;
  readonly fleet?: string;
  readonly solver: SolverName;
  readonly deadline?: number;
  readonly accuracyFloor?: number;
  readonly privacy?: PlanRequest['privacy'];
  readonly rawInput?: PlanRequest['rawInput'];
  readonly adapt?: boolean;
  readonly fallbackMargin?: number;
}

/** Adds them: --fabric, --credentials, --workers, --fleet, --solver, and what requests ask for. */
export function addDeployment(command: Command): Command {
  return addCredentials(
    command.option(
      '--fabric <where>',
      'local: workers are processes of this machine; nats://host:port: those of a NATS server, docs/cluster.md',
      'local',
    ),
  )
    .option('--workers <n>', 'equal workers on this machine (default 2, without --fleet)', count(64))
    .option('--fleet <file>', 'devices and links to emulate, as JSON; docs/fleets.md, examples/fleets/')
    .addOption(
      new Option('--solver <name>', 'planner; bedside plan --help describes each')
        .choices(SOLVERS)
        .default('policy'),
    )
    .option('--deadline <s>', 'seconds from a request to its result', numberIn(1e-6, 86_400, 'seconds'))
    .option(
      '--accuracy-floor <a>',
      "least accuracy, by the bundle's measure, in [0, 1]",
      numberIn(0, 1, 'a number'),
    )
    .addOption(
      new Option('--privacy <preset>', 'what untrusted devices of the fleet may see').choices(
        PRIVACY_PRESETS,
      ),
    )
    .addOption(rawInputOption())
    .option(
      '--adapt',
      'plan again, by measured stage times, when requests take longer or shorter than at first',
    )
    .option(
      '--fallback-margin <m>',
      'repeat uncertain answers on the unpruned network: those whose two likeliest classes are closer than this',
      numberIn(0, 1, 'a difference of probabilities'),
    );
}

/** Of a gateway alone. */
interface MayHaveAnchor extends DeploymentCommandOptions {
  readonly auditAnchor?: string;
}

/** Which of them contradict each other. */
export const DEPLOYMENT_CONFLICTS: readonly Conflict<MayHaveAnchor>[] = [
  {
    when: ({ fabric, workers }) => fabric !== 'local' && workers !== undefined,
    message: '--workers starts processes of this machine, not workers on NATS',
    hint: 'start bedside worker on each device',
  },
  {
    when: ({ fabric, credentials, auditAnchor = '' }) =>
      fabric === 'local' && credentials !== undefined && !isAnchorAddress(auditAnchor),
    message: '--credentials is for workers on NATS',
    hint: 'name the server with --fabric nats://host:port',
  },
  {
    when: ({ fleet, workers }) => fleet !== undefined && workers !== undefined,
    message: 'give either --workers or --fleet, not both',
    hint: 'a fleet has one worker for each of its devices',
  },
];
