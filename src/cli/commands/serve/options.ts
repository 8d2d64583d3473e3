// The options of `bedside serve`.
import type { Command } from 'commander';
import { DEFAULT_PORT, type ServeOptions } from '../../../gateway/index.ts';
import { BedsideError } from '../../../util/index.ts';
import type { CommonOptions } from '../../options/common.ts';
import { assertNoConflict, type Conflict } from '../../options/conflicts.ts';
import {
  addDeployment,
  DEPLOYMENT_CONFLICTS,
  type DeploymentCommandOptions,
} from '../../options/deployment.ts';
import { assertFabric } from '../../options/nats.ts';
import { count, levelList, numberIn } from '../../options/numbers.ts';

/** As commander gives them. */
export interface ServeCommandOptions extends CommonOptions, DeploymentCommandOptions {
  readonly host: string;
  readonly port: number;
  readonly levels?: readonly number[];
  readonly insecure?: boolean;
  readonly tokens?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly clientCa?: string;
  readonly audit?: string;
  readonly auditAnchor?: string;
  readonly auditKey?: string;
  readonly auditRotate?: number;
  readonly oidc?: string;
  readonly running?: number;
  readonly waiting?: number;
  readonly bodyLimit?: number;
  readonly dashboard: boolean;
  readonly samples?: readonly string[];
  readonly log?: boolean;
}

/** Adds them, but for the options of every command. */
export function addServeOptions(command: Command): void {
  command
    .option('--host <address>', 'address to listen on; other machines reach 0.0.0.0 or ::', '127.0.0.1')
    .option(
      '--port <n>',
      'port to listen on; 0 takes a free one',
      numberIn(0, 65_535, 'a port'),
      DEFAULT_PORT,
    );
  addDeployment(command)
    .option(
      '--levels <list>',
      'the level of each group, as in 0,3,1; default: the planner chooses',
      levelList,
    )
    .option('--insecure', 'neither TLS nor tokens off this machine: everybody on the network may ask')
    .option('--tokens <file>', 'tokens and their roles; made, with an admin token, where there is none')
    .option(
      '--oidc <file>',
      'take tokens of an identity provider: JSON of issuer, audience, keys, claim, roles',
    )
    .option('--tls-cert <file>', 'certificate, PEM, with those between it and its authority')
    .option('--tls-key <file>', 'its key, PEM')
    .option('--client-ca <file>', 'only clients with a certificate of these authorities may connect, PEM')
    .option('--audit <folder>', 'keep an audit log in this folder; look at it with bedside audit verify')
    .option(
      '--audit-anchor <place>',
      'remember the end of the audit log in this file, best on other media, or at nats://host:port[/GATEWAY/LOG]; ' +
        'with --fabric nats://, its server does so by itself',
    )
    .option('--audit-key <file>', 'sign the audit log with this Ed25519 key; bedside audit key makes one')
    .option(
      '--audit-rotate <bytes>',
      'begin a new file of the audit log after so many bytes (default: 67108864)',
      numberIn(1024, 2 ** 40, 'bytes'),
    )
    .option('--running <n>', 'requests of a model that run at the same time', count(4096), 16)
    .option('--waiting <n>', 'requests of a model that wait; more get 503', count(1_000_000), 256)
    .option(
      '--body-limit <bytes>',
      'largest body of a request',
      numberIn(1024, 2 ** 30, 'bytes'),
      64 * 2 ** 20,
    )
    .option('--no-dashboard', 'no pages at /, only the protocol')
    .option(
      '--samples <data>',
      'data whose samples may be picked in the dashboard; of several bundles NAME=DATA, repeated',
      (value: string, before: readonly string[] = []) => [...before, value],
    )
    .option('--log', 'write a JSON line for each request to standard error');
}

/** @throws BedsideError E_USAGE for options that contradict each other, and for a fabric that does not exist */
export function serveOptions(options: ServeCommandOptions): ServeOptions {
  assertNoConflict(options, CONFLICTS);
  const { fabric, tlsCert, tlsKey, clientCa, log, samples, ...rest } = options;
  assertFabric(fabric);
  const tls = tlsCert !== undefined && tlsKey !== undefined && { cert: tlsCert, key: tlsKey, clientCa };
  return {
    ...rest,
    fabric: fabric === 'local' ? undefined : fabric,
    ...(tls ? { tls } : {}),
    ...(samples ? { samples: samplesOf(samples) } : {}),
    ...(log ? { log: process.stderr } : {}),
  };
}

/** One data set for all models, or one for each that is named. */
function samplesOf(given: readonly string[]): NonNullable<ServeOptions['samples']> {
  const [only] = given;
  const named = given.map((entry) => /^([^=/\\]+)=(.+)$/.exec(entry));
  if (given.length === 1 && only !== undefined && !named[0]) return only;
  return Object.fromEntries(
    named.map((match, i) => {
      if (match) return [match[1] ?? '', match[2] ?? ''];
      throw new BedsideError('E_USAGE', `--samples ${given[i]} names no model`, {
        hint: 'give one data set for all, or NAME=DATA for each model',
      });
    }),
  );
}

const CONFLICTS: readonly Conflict<ServeCommandOptions>[] = [
  {
    when: ({ tlsCert, tlsKey }) => (tlsCert === undefined) !== (tlsKey === undefined),
    message: '--tls-cert and --tls-key go together',
    hint: 'give both, as PEM files',
  },
  {
    when: ({ clientCa, tlsCert }) => clientCa !== undefined && tlsCert === undefined,
    message: '--client-ca needs TLS',
    hint: 'give --tls-cert and --tls-key too',
  },
  {
    when: ({ insecure, tokens, oidc }) => insecure === true && (tokens ?? oidc) !== undefined,
    message: '--insecure contradicts --tokens and --oidc',
    hint: 'leave one of them out',
  },
  {
    when: ({ audit, ...rest }) =>
      audit === undefined && (rest.auditAnchor ?? rest.auditKey ?? rest.auditRotate) !== undefined,
    message: '--audit-anchor, --audit-key and --audit-rotate need --audit',
    hint: 'name the folder of the log with --audit',
  },
  ...DEPLOYMENT_CONFLICTS,
];
