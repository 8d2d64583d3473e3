// For sibling folders only: nothing here is published.

export { countIdentical, indicesOutside } from './common-samples.ts';
export { assertClassCount, shapeMisfit } from './fit.ts';
export { hashSamples } from './hash.ts';
export { isUnsplitArchive } from './open-dataset.ts';
export { classPrior, classWeights, selectIndices, splitInTwo } from './sampling.ts';
