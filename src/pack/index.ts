// Packing: turns a network into a bundle with many levels of pruning, each measured and corrected.

export { PACK_RATIOS } from './pack.ts';
