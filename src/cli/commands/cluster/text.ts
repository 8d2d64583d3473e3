// The files, the server and the state of a cluster as text.
import { relative } from 'node:path';
import type { NewCluster, RevokeResult } from '../../../app/cluster/cluster-files.ts';
import type { ServerState } from '../../../app/cluster/server.ts';
import type { ClusterStatus } from '../../../app/cluster/status.ts';
import type { Renewed, WrittenCluster } from '../../../run/index.ts';
import { formatBytes, formatSeconds, plainLine } from '../../../util/index.ts';
import { table } from '../../terminal/tables.ts';
import { describeFleet } from '../fleet/text.ts';

const short = (path: string): string => relative('.', path) || path;

/** Files of a new cluster, and what to do with them. */
export function describeNewCluster({ dir, hosts, port, credentials }: NewCluster): string {
  const folder = short(dir);
  return [
    `cluster written to ${folder}: server at ${hosts[0]}:${port}`,
    '',
    table(
      ['credentials', 'role', 'name', 'trusted'],
      credentials.map(({ identity, path }) => [
        short(path),
        identity.role,
        identity.name ?? 'any',
        identity.role === 'worker' ? (identity.trusted === false ? 'no' : 'yes') : '-',
      ]),
    ),
    '',
    'Each file holds a private key: give each device its own file, and nobody another.',
    'Next:',
    `  bedside cluster up --dir ${folder}              # here`,
    '  bedside worker --credentials worker….json      # on each device',
    `  bedside fleet --credentials ${folder}           # who is there`,
    `  bedside infer BUNDLE --data D --fabric tls://${hosts[0]}:${port} --credentials ${folder}`,
  ].join('\n');
}

/** A new certificate, and the devices that need new files because of it. */
export function describeRenewed({ dir, hosts, expires, authority, credentials, missing }: Renewed): string {
  const lines = [
    `server          new certificate for ${hosts.join(', ')}; expires ${expires.slice(0, 10)}`,
    `authority       ${authority.kept ? 'stays' : 'new'}; expires ${authority.expires.slice(0, 10)}`,
    'keys            stay',
    '',
  ];
  if (!authority.kept) {
    lines.push('Devices trust the new authority only with these files; copy each device its own file again:');
    for (const path of credentials) lines.push(`  ${short(path)}`);
    for (const path of missing) lines.push(`  ${short(path)} is not here: delete that key and add it again`);
    lines.push('');
  }
  lines.push(
    `Restart the server (bedside cluster up --dir ${short(dir)}): until then it uses the old certificate.`,
  );
  return lines.join('\n');
}

/** The file of an added key. */
export function describeAdded({ credentials }: WrittenCluster): string {
  const paths = credentials.map(({ path }) => relative('.', path)).join(', ');
  return `${paths} written; restart the server, or run nats-server --signal reload, so that it accepts the key`;
}

/** Whose keys were withdrawn, and whether the server refuses them already. */
export function describeRevoked({ revoked, anyName, server }: RevokeResult): string {
  const whose = revoked.map(({ role, name }) =>
    name === undefined ? `${role} of any name` : `${role} '${name}'`,
  );
  const lines = [plainLine(`withdrawn: ${whose.join(', ')}`)];
  lines.push(
    server.inForce
      ? `in force: the running server (process ${server.pid}) ended their connections and lets them in no more`
      : `NOT IN FORCE YET: ${server.why}`,
  );
  for (const role of anyName) {
    lines.push(
      `whoever holds the key of any ${role} can still come under that name: --role ${role} withdraws it too`,
    );
  }
  return lines.join('\n');
}

/** How a server came to run, in one line. */
export function describeServer({ started, takenOver, servers, pid }: ServerState): string {
  const where = servers.join(', ');
  if (started) return `the server is ready at ${where}; Ctrl-C stops it`;
  if (!takenOver) return `the server at ${where} runs already; its buckets are there`;
  return (
    `the server at ${where} runs already, as process ${pid}, left behind by a bedside cluster up that is gone; ` +
    'taken over, Ctrl-C stops it'
  );
}

/** The state of a cluster. */
export function describeStatus({ server, storage, process, connections, fleet }: ClusterStatus): string {
  const { certificate } = server;
  const lines = [
    `server          ${server.name}, nats-server ${server.version}, ${server.tls ? 'TLS' : 'NO TLS'}`,
    ...(certificate ? [`certificate     ${describeCertificate(certificate)}`] : []),
    `round trip      ${formatSeconds(server.roundTrip)}; payloads up to ${formatBytes(server.maxPayload)}`,
    ...(process ? [`process         ${describeProcess(process)}`] : []),
    storage
      ? `stored          ${formatBytes(storage.used)} of ${storage.limit === null ? 'no limit' : formatBytes(storage.limit)} in ${storage.streams} streams`
      : 'stored          these credentials may not read it',
    connections
      ? `connections     ${connections.length}`
      : 'connections     only the machine of the server can list them',
    '',
  ];
  if (connections && connections.length > 0) {
    lines.push(
      table(
        ['connection', 'from', '>in', '>out', '>idle'],
        connections.map(({ name, from, bytesIn, bytesOut, idle }) => [
          name,
          from,
          formatBytes(bytesIn),
          formatBytes(bytesOut),
          idle,
        ]),
      ),
      '',
    );
  }
  return [...lines, describeFleet(fleet)].join('\n');
}

function describeCertificate({
  expires,
  renew,
}: NonNullable<ClusterStatus['server']['certificate']>): string {
  const date = expires.slice(0, 10);
  if (!renew) return `expires ${date}`;
  const days = Math.max(0, Math.floor((Date.parse(expires) - Date.now()) / 86_400_000));
  return `EXPIRES ${date}, in ${days} days: bedside cluster init --renew-certificates, then restart the server`;
}

function describeProcess({ pid, by, isLeft }: NonNullable<ClusterStatus['process']>): string {
  return isLeft
    ? `${pid}, left behind by a bedside cluster up that is gone; bedside cluster up takes it over`
    : `${pid}, of bedside cluster up (${by})`;
}
