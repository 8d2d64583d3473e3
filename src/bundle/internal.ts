// For sibling folders only: nothing here is published.
export { firstUnits } from './levels.ts';
