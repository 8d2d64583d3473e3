// For sibling folders only: nothing here is published.
export { nearestNames } from './closest-names.ts';
export { loadOptional } from './optional-package.ts';
export { commandLineOf, OWN_PID, signalProcess } from './processes.ts';
