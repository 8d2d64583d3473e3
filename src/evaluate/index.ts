// Measuring classifiers: their interface, accuracy, recall of each class, and speed.
export type { Evaluation } from './accuracy.ts';
export type { LabelMeasures, Measures } from './measures/measures.ts';
export { measureSpeedup, type Speed, type SpeedOptions } from './speed.ts';
