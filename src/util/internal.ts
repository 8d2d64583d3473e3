// For sibling folders only: nothing here is published.
export { nearestNames } from './closest-names.ts';
