// `bedside cluster add` and `revoke`: keys of single devices and users.
import { type Command, Option } from 'commander';
import {
  ADDED_ROLES,
  addToCluster,
  type NewMember,
  revokeFromCluster,
} from '../../../app/cluster/cluster-files.ts';
import { examples } from '../../command-line.ts';
import { addCommon, type CommonOptions } from '../../options/common.ts';
import { Output } from '../../terminal/output.ts';
import { DEFAULT_DIR, DIR } from './init.ts';
import { describeAdded, describeRevoked } from './text.ts';

/** The folder of a cluster. */
export interface DirOptions extends CommonOptions {
  readonly dir: string;
}

type AddOptions = DirOptions & Omit<NewMember, 'name'>;

type RevokeOptions = DirOptions & { readonly role?: NewMember['role'] };

/** Adds `cluster add`. */
export function addAdd(cluster: Command): void {
  const command = cluster
    .command('add')
    .summary('add a key for one more device or user')
    .description(
      'Adds a named key to a cluster; existing keys stay. The server accepts it after it has read its configuration ' +
        'again: restart it, or run nats-server --signal reload.',
    )
    .argument('<name>', 'name of the device or user')
    .option(DIR, 'folder of the cluster', DEFAULT_DIR)
    .addOption(new Option('--role <role>', 'role of the key').choices(ADDED_ROLES).default('worker'))
    .option('--guest', 'a worker that is not trusted');
  addCommon(command, false)
    .addHelpText(
      'after',
      examples(['bedside cluster add tablet-3', ''], ['bedside cluster add tv --guest', '']),
    )
    .action((name: string, options: AddOptions) => add(name, options));
}

/** Adds `cluster revoke`. */
export function addRevoke(cluster: Command): void {
  const command = cluster
    .command('revoke')
    .summary('withdraw the key of a device or user')
    .description(
      'Takes the keys of a name out of a cluster, and removes its credentials file here. The running server of this machine ' +
        'reads its configuration again: it ends the connections of those keys at once, and lets them in no more. All other ' +
        'keys and connections stay. bedside cluster add gives the name a new key.',
    )
    .argument('[name]', 'name of the device or user')
    .option(DIR, 'folder of the cluster', DEFAULT_DIR)
    .addOption(
      new Option(
        '--role <role>',
        'of several keys of that name, that of this role; without a name, the key that the role shares',
      ).choices(ADDED_ROLES),
    );
  addCommon(command, false)
    .addHelpText(
      'after',
      examples(
        ['bedside cluster revoke tablet-3', 'a tablet that was lost'],
        ['bedside cluster revoke --role client', 'client.json, which anybody may hold'],
      ),
    )
    .action((name: string | undefined, options: RevokeOptions) => revoke(name, options));
}

async function add(name: string, { dir, role, guest, ...options }: AddOptions): Promise<void> {
  const output = new Output(options);
  const written = await addToCluster(dir, { name, role, guest });
  output.result(written);
  output.print(describeAdded(written));
}

async function revoke(name: string | undefined, { dir, role, ...options }: RevokeOptions): Promise<void> {
  const output = new Output(options);
  const result = await revokeFromCluster(dir, { name, role });
  output.result(result);
  output.print(describeRevoked(result));
}
