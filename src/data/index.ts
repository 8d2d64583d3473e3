export { countIdentical, indicesOutside } from './common-samples.ts';
export type { Dataset, DatasetOptions, DatasetSplit, PassedOver } from './dataset.ts';
export { hashSamples } from './hash.ts';
export { IMAGE_EXTENSIONS } from './image-files.ts';
export { decodeNpy, encodeNpy, type NpyArray, type NpyData, type NpyDtype, npyArray } from './npy.ts';
export { decodeNpz, npzNames, type ReadNpzOptions, readNpz, writeNpz } from './npz.ts';
export { isUnsplitArchive, openDataset } from './open-dataset.ts';
export {
  classPrior,
  classWeights,
  disjointDraws,
  type Selection,
  selectIndices,
  splitInTwo,
  subset,
} from './sampling.ts';
export { generateEcg, type SyntheticEcgOptions } from './synthetic-ecg.ts';
export { BEAT_CLASSES } from './wfdb.ts';
