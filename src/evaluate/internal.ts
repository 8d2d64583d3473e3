// For sibling folders only: nothing here is published.

export {
  channelsOf,
  foundMasks,
  predictedClasses,
  type ScoreForm,
  thresholdOf,
  trueMasks,
  usesThreshold,
  yesOrNo,
} from '../util/internal.ts';
export { accuracies, batchFeeds, classCounts, evaluateModel } from './accuracy.ts';
export { type Classifier, describeClassifier, keptContract, SAMPLING_RATE } from './classifier.ts';
export { agreement, agreementOf } from './measures/agreement.ts';
export { describeLeftOut, mainMeasure, measuresOf } from './measures/measures.ts';
export { madeSamples, openedBatch } from './opened-batch.ts';
export { scoreChange, scoreDivergence } from './score-distance.ts';
export { lastNode, outputForm, taskOfOutput } from './task-of-output.ts';
