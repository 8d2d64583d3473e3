// For sibling folders only: nothing here is published.

export { countIdentical, indicesOutside } from './common-samples.ts';
export { assertClassCount, shapeMisfit } from './fit.ts';
export { hashSamples } from './hash.ts';
export { isUnsplitArchive } from './open-dataset.ts';
export { sharedPatients } from './patients.ts';
export { classPrior, classWeights, selectIndices } from './sampling.ts';
export { splitInTwo } from './splits.ts';
export { selectSamples, strataOf } from './strata.ts';
