export type { InputContract } from './contract/contract.ts';
export type { Dataset, DatasetOptions } from './dataset.ts';

export { type NpyArray, npyArray } from './npz/npy.ts';
export { readNpz, writeNpz } from './npz/npz.ts';
export { openDataset } from './open-dataset.ts';
export { subset } from './sampling/sampling.ts';

export { generateEcg } from './synthetic/synthetic-ecg.ts';
