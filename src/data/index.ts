export type { ClassMap, ImageContract, InputContract, SignalContract } from './contract/contract.ts';
export type { Dataset, DatasetOptions, DatasetSplit } from './dataset.ts';

export { type NpyArray, npyArray } from './npy.ts';
export { type ReadNpzOptions, readNpz, writeNpz } from './npz.ts';
export { openDataset } from './open-dataset.ts';
export { subset } from './sampling.ts';

export { disjointDraws } from './splits.ts';
export { generateEcg, type SyntheticEcgOptions } from './synthetic-ecg.ts';
