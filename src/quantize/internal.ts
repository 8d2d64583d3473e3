// For sibling folders only: nothing here is published.
export { areCopies, calibratedRanges } from './calibrate.ts';
export { type EqualisedModel, equaliseModel } from './equalise-model.ts';
export type { LayerQuantization } from './fit-layers.ts';
export type { QuantizedLayer, QuantizedWeights } from './integers.ts';
export type { KeptFloat } from './places.ts';
export { saturates } from './saturates.ts';
export { eightBitForm, eightBitPlaces, eightBitStages, withUint8Input } from './stored-ranges.ts';
export type { QuantizationTables } from './write.ts';
