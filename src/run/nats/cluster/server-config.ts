// The configuration file of a cluster's NATS server.
import { ACCOUNTS, type Account, type Identity, IMPORTS, permissionsOf, storeOf } from './roles.ts';

/** The settings of the server. */
export interface ServerConfig {
  /** Address to listen on, and port. */
  readonly host: string;
  readonly port: number;
  /** Port of the monitoring page, for this machine only. */
  readonly monitorPort: number;
  /** Absolute paths of files, and of the storage folder. */
  readonly certificate: string;
  readonly key: string;
  readonly storage: string;
  /** Bytes. */
  readonly maxPayload: number;
  readonly maxStorage: number;
  readonly users: readonly User[];
}

/** A node that may connect, and its public keys, one for each account: NATS binds a key to an account. */
export interface User {
  readonly identity: Identity;
  readonly keys: { readonly fabric: string; readonly store: string };
}

/** The text of `server.conf`. Only nodes whose keys are in it may connect. */
export function serverConfig(config: ServerConfig): string {
  const { host, port, monitorPort, certificate, key, storage, maxPayload, maxStorage, users } = config;
  return `# Written by \`bedside cluster init\`. docs/cluster.md explains it.
server_name: "bedside"
host: ${quoted(host)}
port: ${port}
# For \`bedside cluster status\` on this machine.
http: "127.0.0.1:${monitorPort}"

# Larger tensors travel in chunks.
max_payload: ${maxPayload}
# Bytes that may wait for one slow connection before it is cut.
max_pending: ${Math.max(64 << 20, 8 * maxPayload)}
write_deadline: "5s"
# Clients that are gone are noticed within seconds.
ping_interval: "2s"
ping_max: 2

tls {
  cert_file: ${quoted(certificate)}
  key_file: ${quoted(key)}
  timeout: 3
}

jetstream {
  store_dir: ${quoted(storage)}
  max_memory_store: ${64 << 20}
  max_file_store: ${maxStorage}
}

authorization {
  timeout: 3
}

accounts {
${ACCOUNTS.map((account) => accountText(account, users)).join('\n')}
}
`;
}

/** Contents of the accounts besides users. Between accounts only exported and imported services pass. */
const SHARED: Readonly<Record<Account, string>> = {
  FABRIC:
    '    # Core NATS alone: no JetStream, no imports. So the server never says anything here for anybody.',
  STORE: `    jetstream: enabled
    exports: [
${exportsText()}
    ]`,
  WRITE: importsText('WRITE'),
  READ: importsText('READ'),
};

function exportsText(): string {
  const all = [...new Set([...IMPORTS.READ, ...IMPORTS.WRITE])];
  const to = (subject: string): string =>
    (['READ', 'WRITE'] as const).filter((account) => IMPORTS[account].includes(subject)).join(', ');
  return all.map((subject) => `      { service: ${quoted(subject)}, accounts: [${to(subject)}] }`).join('\n');
}

function importsText(account: 'READ' | 'WRITE'): string {
  return `    imports: [
${IMPORTS[account].map((subject) => `      { service: { account: STORE, subject: ${quoted(subject)} } }`).join('\n')}
    ]`;
}

function accountText(account: Account, users: readonly User[]): string {
  const own = users.filter(({ identity }) => account === 'FABRIC' || storeOf(identity.role) === account);
  return `  ${account} {
${SHARED[account]}
    users: [
${own.map((user) => userText(user, account)).join('\n')}
    ]
  }`;
}

function userText({ keys, identity }: User, account: Account): string {
  const { publish, subscribe } = permissionsOf(identity, account);
  const list = (subjects: readonly string[]): string =>
    subjects.map((subject) => `            ${quoted(subject)}`).join('\n');
  return `      # ${JSON.stringify(identity).replaceAll('\n', ' ')}
      { nkey: ${account === 'FABRIC' ? keys.fabric : keys.store}
        permissions: {
          publish: { allow: [
${list(publish)}
          ] }
          subscribe: { allow: [
${list(subscribe)}
          ] }
        }
      }`;
}

/** A quoted string: the server's parser does not expand `$` inside quotes. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
