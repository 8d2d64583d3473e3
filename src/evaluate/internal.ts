// For sibling folders only: nothing here is published.
export { klDivergence, squaredDifference } from './probability-distance.ts';
