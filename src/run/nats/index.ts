// The fabric of several machines over a NATS server, and the files of that server.
export { AnchorBucket, type AnchorKey } from './anchors/anchor-bucket.ts';
export { BundleStore } from './bundles/bundle-store.ts';
export { makeBuckets } from './cluster/buckets.ts';
export {
  type Certified,
  certifyServer,
  expiryOf,
  hostsOf,
  isPair,
  makeAuthority,
} from './cluster/certificates.ts';
export { type Credentials, parseCredentials } from './cluster/credentials.ts';
export { RENEWAL_MS, type Renewed, type RenewOptions, renewCertificates } from './cluster/renew.ts';
export { type Revocation, type Revoked, revokeFromCluster } from './cluster/revoke.ts';
export { type Identity, permissionsOf, type Role } from './cluster/roles.ts';
export { readServerInfo, type ServerInfo } from './cluster/server-info.ts';
export {
  addToCluster,
  type ClusterOptions,
  credentialsPath,
  readCluster,
  SERVER_CONFIG,
  type WrittenCluster,
  writeCluster,
} from './cluster/write-cluster.ts';
export { NatsFabric, type NatsFabricOptions, OPEN_NOTE } from './nats-fabric.ts';
export { NatsWorker, type NatsWorkerOptions } from './nats-worker.ts';
export type { FleetEntry, NodeEntry } from './presence/announcement.ts';
export { FleetDirectory } from './presence/fleet-directory.ts';
export { connectNats, type NatsAccess, type NatsAccount, natsError } from './transport/connect.ts';
