// For sibling folders only: nothing here is published.
export { accuracies, agreementOf, batchFeeds, classCounts, evaluateModel } from './accuracy.ts';
export { type Classifier, describeClassifier, SAMPLING_RATE } from './classifier.ts';
export { klDivergence, squaredDifference } from './probability-distance.ts';
