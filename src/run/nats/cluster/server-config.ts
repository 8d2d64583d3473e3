// The configuration file of a ward's NATS server.
import { type Identity, permissionsOf } from './roles.ts';

/** What the server is told. */
export interface ServerConfig {
  /** Address to listen on, and port. */
  readonly host: string;
  readonly port: number;
  /** Of the monitoring page, for this machine only. */
  readonly monitorPort: number;
  /** Files, absolute. */
  readonly certificate: string;
  readonly key: string;
  readonly storage: string;
  /** Bytes. */
  readonly maxPayload: number;
  readonly maxStorage: number;
  readonly users: readonly { readonly publicKey: string; readonly identity: Identity }[];
}

/** The text of `server.conf`. Whoever has no key in it is not let in. */
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
  users: [
${users.map(user).join('\n')}
  ]
}
`;
}

function user({ publicKey, identity }: ServerConfig['users'][number]): string {
  const { publish, subscribe } = permissionsOf(identity);
  const list = (subjects: readonly string[]): string =>
    subjects.map((subject) => `          ${quoted(subject)}`).join('\n');
  return `    # ${JSON.stringify(identity).replaceAll('\n', ' ')}
    { nkey: ${publicKey}
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

/** As the server's parser reads it: `$` in quotes is no variable. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
