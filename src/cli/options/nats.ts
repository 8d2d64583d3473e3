// --fabric and --credentials: where the NATS server is, and as whom to connect.
import { type Command, InvalidArgumentError } from 'commander';
import { isServerUrl } from '../../app/cluster/access.ts';
import { BedsideError } from '../../util/index.ts';

/** As commander gives them. */
export interface NatsOptions {
  readonly fabric?: string;
  readonly credentials?: string;
}

/** --fabric and --credentials, for commands that always need a server. */
export function addNats(command: Command): Command {
  return addCredentials(
    command.option(
      '--fabric <url>',
      'NATS server, as nats://host:port; default: the one that the credentials name',
      serverUrl,
    ),
  );
}

/** --credentials alone. */
export function addCredentials(command: Command): Command {
  return command.option(
    '--credentials <path>',
    'credentials file from bedside cluster init, or its folder, from which the fitting file is taken',
  );
}

/** An option's value that is the address of a server. */
export function serverUrl(text: string): string {
  if (isServerUrl(text)) return text;
  throw new InvalidArgumentError('Expected nats://host:port or tls://host:port.');
}

/** Refuses a --fabric that is neither this machine nor a server. @throws BedsideError E_USAGE */
export function assertFabric(fabric: string): void {
  if (fabric === 'local' || isServerUrl(fabric)) return;
  throw new BedsideError('E_USAGE', `there is no fabric '${fabric}'`, {
    hint: 'leave --fabric out for processes of this machine, or name a server as nats://host:port',
  });
}
