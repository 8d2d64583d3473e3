// Packing: one network at many levels of pruning, measured and corrected, as a bundle.
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
