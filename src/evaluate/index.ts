// Measuring classifiers: their interface, accuracy, recall of each class, and speed.
export {
  accuracies,
  agreementOf,
  batchFeeds,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
} from './accuracy.ts';
export { type Classifier, describeClassifier, SAMPLING_RATE } from './classifier.ts';
export { measureSpeedup, type Speed, type SpeedOptions } from './speed.ts';
