// For sibling folders only: nothing here is published.
export { calibratedRanges } from './calibrate.ts';
export { saturates } from './saturates.ts';
export { eightBitForm, eightBitPlaces, eightBitStages, withUint8Input } from './stored-ranges.ts';
