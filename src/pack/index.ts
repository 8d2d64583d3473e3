// Packing: turns a network into a bundle with many levels of pruning, each measured and corrected.
export { type CertifyOptions, certifyLevels } from './certify.ts';
export { frontierOf } from './frontier.ts';
export {
  PACK_RATIOS,
  type PackedModel,
  type PackOptions,
  type PackProvenance,
  packModel,
} from './pack.ts';
export { thisMachine } from './timing/layer-timing.ts';
