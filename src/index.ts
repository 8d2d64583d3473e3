// bedside: explain a pre-trained ONNX classifier and prune it without retraining. The parts in full stand behind the
// subpaths `bedside/onnx`, `engine`, `data`, `channels`, `explain`, `prune` and `util`.

export { findGroups, type Group, type Grouping, type Keep, maskModel, sliceModel } from './channels/index.ts';
export {
  type Dataset,
  type DatasetOptions,
  generateEcg,
  openDataset,
  readNpz,
  type Split,
  writeNpz,
} from './data/index.ts';
export { createSession, type Session, type SessionOptions, type Tensor, tensor } from './engine/index.ts';
export {
  type Attribution,
  AttributionPass,
  type Criterion,
  canonicalModel,
  type LayerScores,
  type PassOptions,
  type PassResult,
} from './explain/index.ts';
export {
  findStages,
  inferShapes,
  loadModel,
  type Model,
  type ModelCosts,
  modelCosts,
  readModel,
  type Stage,
  saveModel,
  writeModel,
} from './onnx/index.ts';
export {
  type CompareOptions,
  type Comparison,
  CRITERIA,
  compareCriteria,
  detectBlock,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  findCriterion,
  measureSpeedup,
  type PruneAmount,
  type PrunedModel,
  pruneModel,
  type Ranking,
  type Reconstruction,
  type ReconstructOptions,
  rankModel,
  reconstruct,
  scoreModel,
  selectForMacs,
  selectGlobal,
  selectUniform,
} from './prune/index.ts';
export { BedsideError, type ErrorCode, Random } from './util/index.ts';
