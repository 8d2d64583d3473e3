// bedside: explain a pre-trained ONNX classifier, prune it without retraining, and run it on several devices. Its parts are
// published as `bedside/util`, `bedside/onnx`, `bedside/engine`, `bedside/data`, `bedside/channels`, `bedside/bundle`,
// `bedside/evaluate`, `bedside/explain`, `bedside/repair`, `bedside/prune`, `bedside/pack`, `bedside/plan` and `bedside/run`.

export { Deployment, infer, LocalPool, pack, plan, simulate, train } from './app/index.ts';
export {
  findGroups,
  type Group,
  type Grouping,
  type KeptUnits,
  maskModel,
  sliceModel,
} from './channels/index.ts';
export {
  type Dataset,
  type DatasetOptions,
  type DatasetSplit,
  generateEcg,
  openDataset,
  readNpz,
  writeNpz,
} from './data/index.ts';
export { createSession, type Session, type SessionOptions, type Tensor, tensor } from './engine/index.ts';
export { type EvaluateOptions, type Evaluation, evaluate, measureSpeedup } from './evaluate/index.ts';
export {
  type Attribution,
  AttributionPass,
  type Criterion,
  type LayerScores,
  type PassOptions,
  type PassResult,
} from './explain/index.ts';
export {
  canonicalModel,
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
  type CompareCriteriaOptions,
  CRITERIA,
  type CriteriaComparison,
  compareCriteria,
  detectBlock,
  findCriterion,
  type PruneAmount,
  type PrunedModel,
  pruneModel,
  type Ranking,
  rankModel,
  scoreModel,
  selectForMacs,
  selectGlobal,
  selectUniform,
} from './prune/index.ts';
export { type RepairOptions, type RepairResult, repair } from './repair/index.ts';
export { BedsideError, type ErrorCode, Random } from './util/index.ts';
