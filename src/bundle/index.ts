// Bundles: one network at many sizes, as a folder that is written whole or not at all.
export { assembleModel } from './assemble.ts';
export type { Bundle } from './bundle.ts';
export { stageCosts } from './costs.ts';
export { levelsOfRatio } from './levels.ts';
export type { BundleManifest } from './manifest.ts';
export { openBundle } from './read.ts';

export { SEALED_VERSION } from './seal.ts';
