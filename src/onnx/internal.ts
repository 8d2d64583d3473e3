// For sibling folders only: nothing here is published.
export { applyLayer, applyTransposedLayer, weightedLayer } from './weighted-layer.ts';
