// For sibling folders only: nothing here is published.
export { certifyLevels } from './certify.ts';
export { frontierOf } from './frontier.ts';
export { type PackedModel, packModel } from './pack.ts';
export { thisMachine } from './timing/layer-timing.ts';
