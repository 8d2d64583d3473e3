// Use cases: what the command line does, as a library. Nothing here knows of options, terminals or exit codes.
export { findAccess, isServerUrl, type ServerOptions } from './cluster/access.ts';
export {
  ADDED_ROLES,
  addToCluster,
  CLUSTER_DEFAULTS,
  type ClusterSettings,
  initCluster,
  type NewCluster,
  type NewMember,
  renewCluster,
} from './cluster/cluster-files.ts';
export { FleetReader, writeFleetFile } from './cluster/fleet.ts';
export { fleetFileOf, hasMeasured } from './cluster/fleet-file.ts';
export { ClusterServer, type ServerState } from './cluster/server.ts';
export { type ClusterStatus, MONITOR_URL, readClusterStatus } from './cluster/status.ts';
export { runWorker, type WorkerEvent, type WorkerSettings } from './cluster/worker.ts';
export { anyPlan, plannerOf, SOLVERS, type SolverName } from './planners.ts';
export {
  type Journal,
  KeptJournal,
  type Progress,
  type Reporter,
  type Said,
  type Skipped,
} from './reporter.ts';
