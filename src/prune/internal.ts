// For sibling folders only: nothing here is published.
export { alignedCount, ranked } from './select/select.ts';
