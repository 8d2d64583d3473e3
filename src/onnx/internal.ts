// For sibling folders only: nothing here is published.
export { samplesOfShapes } from './fixed-batch.ts';
export { applyLayer, applyTransposedLayer } from './layer-operators.ts';
export { weightedLayer } from './weighted-layer.ts';
