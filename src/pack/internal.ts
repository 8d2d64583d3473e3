// For sibling folders only: nothing here is published.
export { certifyLevels } from './certify.ts';
export { AffineCorrector } from './correction/affine.ts';
export { describeModel } from './describe.ts';
export { addEightBit } from './eight-bit/add.ts';
export { StageChain } from './eight-bit/stage-chain.ts';
export { frontierOf } from './frontier.ts';
export { CHOSEN_AT, type PackedModel, packModel } from './pack.ts';
export { splitOf } from './split.ts';
export { taskedModel } from './task.ts';
export { thisMachine } from './timing/layer-timing.ts';
export { layerSubgraphs, withSamples } from './timing/timed-subgraphs.ts';
export { isTimeable } from './timing/timing.ts';
