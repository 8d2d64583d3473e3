// Measuring classifiers: their interface, accuracy, recall of each class, and speed.
export { batchFeeds, type EvaluateModelOptions, type Evaluation, evaluateModel } from './accuracy.ts';
export { measureSpeedup, type Speed, type SpeedOptions } from './speed.ts';
