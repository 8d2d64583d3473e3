// For sibling folders only: nothing here is published.
export { assertClassCount, shapeMisfit } from './fit.ts';
