// For sibling folders only: nothing here is published.
export { nearestNames } from './closest-names.ts';
export { commandLineOf, OWN_PID, signalProcess } from './processes.ts';
