// For tests and benchmarks: parts of use cases that programs have no use for. The command line does not import them.
export { findAccess } from './cluster/access.ts';
export { GatewayAnswerer } from './interop/gateway-answerer.ts';
export { LocalAnswerer } from './interop/local-answerer.ts';
export { networkForData } from './network/task.ts';
export { withMeasuredTimes } from './run/fleet-changes.ts';
export { emulatedWorkers } from './run/local-fleet.ts';
export { measureDevices } from './run/measure-devices.ts';
export { SingleMachine } from './run/single-machine.ts';
