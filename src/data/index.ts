export type {
  ClassMap,
  ImageContract,
  ImageCrop,
  ImageResize,
  ImageWindow,
  InputContract,
  Normalisation,
  SignalContract,
  SignalWindow,
} from './contract/contract.ts';
export type {
  Dataset,
  DatasetKind,
  DatasetOptions,
  DatasetSplit,
  InputPart,
  PassedOver,
  Targets,
} from './dataset.ts';
export { BEAT_CLASSES } from './ecg-beats.ts';
export { type NpyArray, npyArray } from './npy.ts';
export { type ReadNpzOptions, readNpz, writeNpz } from './npz.ts';
export { openDataset } from './open-dataset.ts';
export { subset } from './sampling.ts';
export type { SeriesChoice } from './series-choice.ts';
export { disjointDraws } from './splits.ts';
export { generateEcg, type SyntheticEcgOptions } from './synthetic-ecg.ts';
