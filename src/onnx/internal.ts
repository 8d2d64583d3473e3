// For sibling folders only: nothing here is published.
export { apply, applyTransposed, linearLayer } from './weighted-layer.ts';
