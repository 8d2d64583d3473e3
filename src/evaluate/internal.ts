// For sibling folders only: nothing here is published.
export { classCounts } from './accuracy.ts';
export { klDivergence, squaredDifference } from './probability-distance.ts';
