export type { InputContract } from './contract/contract.ts';
export type { Dataset, DatasetOptions } from './dataset.ts';

export { type NpyArray, npyArray } from './npy.ts';
export { readNpz, writeNpz } from './npz.ts';
export { openDataset } from './open-dataset.ts';
export { subset } from './sampling.ts';

export { generateEcg } from './synthetic-ecg.ts';
