// Use cases: what the command line does, as a library. Nothing here knows of options, terminals or exit codes.

export {
  type BundleSource,
  isBundle,
  type LevelFields,
  type LevelOptions,
  levelFields,
  type NetworkAtLevels,
  networkAtLevels,
} from './bundle/bundle-levels.ts';
export { certifyProposals, type Proposal, type ProposalOptions } from './bundle/certification-loop.ts';
export { type CertifyOptions, type CertifyResult, certify } from './bundle/certify.ts';
export { type CardResult, writeModelCard } from './bundle/model-card.ts';
export { loadBundle } from './bundle/open-bundle.ts';
export { evenRatios, nameOf, type PackOptions, type PackResult, pack, packDrawn } from './bundle/pack.ts';
export { isServerUrl, type ServerOptions } from './cluster/access.ts';
export { isAnchorAddress, openServerAnchor, type ServerAnchor } from './cluster/anchors.ts';
export {
  ADDED_ROLES,
  addToCluster,
  CLUSTER_DEFAULTS,
  type ClusterSettings,
  initCluster,
  type NewCluster,
  type NewMember,
  type RevokeResult,
  renewCluster,
  revokeFromCluster,
} from './cluster/cluster-files.ts';
export { FleetReader, writeFleetFile } from './cluster/fleet.ts';
export { ClusterServer, type ServerState } from './cluster/server.ts';
export { type ClusterStatus, MONITOR_URL, readClusterStatus } from './cluster/status.ts';
export { runWorker, type WorkerEvent, type WorkerSettings } from './cluster/worker.ts';
export { type CompareOptions, compare, DEFAULT_CRITERIA, DEFAULT_RATIOS } from './compare/compare.ts';
export { type BaseMeasurements, type Comparison, type LabelFacts, labelFacts } from './compare/comparison.ts';
export { comparisonReport } from './compare/comparison-report.ts';
export { reportHeatmaps } from './compare/report-heatmaps.ts';
export { type DemoOptions, type DemoResult, demo } from './demo/demo.ts';
export type { DemoListener, DemoStep, FileSizes } from './demo/demo-steps.ts';
export type { FleetDemoResult } from './demo/fleet-demo.ts';
export type { ComparedPlanner } from './demo/planner-comparison.ts';
export type { FleetEvent, StreamedRequest } from './demo/request-stream.ts';
export { type DetectedRecord, type DetectOptions, type DetectResult, detect } from './detect/detect.ts';
export { type EvaluateOptions, type EvaluateResult, evaluate } from './evaluate.ts';
export {
  type AnswerForm,
  agreementOfAnswers,
  answerForm,
  explainedWeights,
  type ReadAnswer,
  readAnswer,
  type ShownInput,
} from './explain/answers.ts';
export { type ExplainOptions, explain } from './explain/explain.ts';
export type { Explanation } from './explain/explanation.ts';
export type { WrittenHeatmaps } from './explain/heatmaps.ts';
export { type PickedSamples, pickedSamples } from './explain/picked-samples.ts';
export type { SampleScores } from './explain/sample-scores.ts';
export { explanationJson, scoresFormat } from './explain/scores-file.ts';
export type { GuessedField, Sureness } from './init/guesses.ts';
export { type InitOptions, type InitResult, init } from './init/init.ts';
export {
  type InspectBundleResult,
  type InspectResult,
  inspect,
  inspectBundle,
  type LevelRow,
  type ValueRow,
} from './inspect/inspect.ts';
export type { LayerRow } from './inspect/layers.ts';
export {
  answerStudies,
  type StudiesOptions,
  type StudiesResult,
  type StudyFigures,
} from './interop/answer-studies.ts';
export type { ImageChoice } from './interop/answer-study.ts';
export { answeredBy } from './interop/answered-by.ts';
export {
  hashFile,
  hashNetwork,
  loadNetwork,
  type Network,
  type NetworkOptions,
  type NetworkSource,
  networkOf,
} from './network/network.ts';
export { type DataOptions, DEFAULT_PER_CLASS, type EngineOptions, runSettings } from './options.ts';
export type { ComparedPlans, Moment } from './outlook/compare-plans.ts';
export type { FleetEdit } from './outlook/fleet-edit.ts';
export { momentOf } from './outlook/moment.ts';
export { Outlook } from './outlook/outlook.ts';
export type { Forecast, WhatIf } from './outlook/what-if.ts';
export type { Baseline, PlanTotals } from './plan/baselines.ts';
export { fleetFrom } from './plan/fleet-source.ts';
export { DEFAULT_TIME_LIMIT, type PlanOptions, type PlanResult, plan } from './plan/plan.ts';
export {
  COMPARED_FLOORS,
  type ComparedStrategy,
  compareStrategies,
  STRATEGIES,
  type Strategy,
  type StrategyComparisonOptions,
} from './plan/strategy-comparison.ts';
export { anyPlan, plannerOf, policySha256, SOLVERS, type SolverName } from './planners.ts';
export type { CutOptions, PruneOptions } from './prune/options.ts';
export {
  type AutoResult,
  type PruneResult,
  prune,
  pruneDrawn,
} from './prune/prune.ts';
export { type PruneBundleOptions, type PruneBundleResult, pruneBundle } from './prune/prune-bundle.ts';
export { type QuantizeNetworkOptions, type QuantizeResult, quantize } from './quantize/quantize.ts';
export {
  AUTO,
  criterionOf,
  DEFAULT_CRITERION,
  explainingCriterion,
  type RankingOptions,
  rankingOf,
  type TargetOption,
  unrepairedNote,
} from './ranking.ts';
export {
  type Journal,
  journalOf,
  KeptJournal,
  type Progress,
  type Reporter,
  type Said,
  type Signals,
  type Skipped,
} from './reporter.ts';
export { Deployment } from './run/deployment.ts';
export { BATCH_WINDOW, type DeploymentOptions, type RequestOptions } from './run/deployment-options.ts';
export { withMeasuredTimes, withoutDevices } from './run/fleet-changes.ts';
export { type InferOptions, type InferResult, infer } from './run/infer.ts';
export { emulatedWorkers, localFleet } from './run/local-fleet.ts';
export { LocalPool, type LocalPoolOptions } from './run/local-pool.ts';
export { type Measured, measureDevices } from './run/measure-devices.ts';
export { NatsPool, type NatsPoolOptions } from './run/nats-pool.ts';
export type { PlanChoice } from './run/plan-lines.ts';
export type { WorkerPool } from './run/pool.ts';
export type { LeftOut } from './run/ready-plans.ts';
export { type Pin, Replanner, type ReplannerOptions } from './run/replanner.ts';
export type { Sample } from './run/sample.ts';
export { SingleMachine } from './run/single-machine.ts';
export { assertLocal, type CalibrationSources, calibrationSources } from './samples/calibration-sources.ts';
export {
  type ClassPrior,
  type ClassPriorOptions,
  describePrior,
  explanationTarget,
  priorShares,
  priorWeighting,
  samplesInPrior,
  sampleWeights,
} from './samples/class-prior.ts';
export { DEFAULT_VALIDATION, type DrawOptions, type LocalDraws, localDraws } from './samples/local-draws.ts';
export {
  kindOfContent,
  type PostedFile,
  type PostedKind,
  type PostedSamples,
  postedSamples,
} from './samples/posted-samples.ts';
export {
  type DataDefaults,
  type DrawnSets,
  dataName,
  hasNoSplits,
  loadDraws,
  loadSamples,
  loadTwoSets,
  noteLeftOver,
  type TwoSets,
  type TwoSetsOptions,
} from './samples/samples.ts';
export {
  DEFAULT_SIMULATED_REQUESTS,
  DEFAULT_SIMULATED_SOLVERS,
  type SimulatedEpisode,
  type SimulatedRow,
  type SimulateOptions,
  type SimulateResult,
  simulate,
} from './simulate/simulate.ts';
export { SIMULATED_SOLVERS, type SimulatedSolver, STALE_SECONDS, strategyOf } from './simulate/strategies.ts';
export type { Answerer, Scored } from './stream/answerer.ts';
export type {
  AnsweredBeat,
  BedResult,
  SignalEvent,
  StreamEvent,
  StreamFigures,
  StreamResult,
  UnansweredBeat,
} from './stream/events.ts';
export type { StreamOptions } from './stream/options.ts';
export {
  SignalSession,
  type SignalSessionOptions,
  type SignalSessionResult,
} from './stream/signal-session.ts';
export { stream } from './stream/stream.ts';
export { DEFAULT_TRAIN_STEPS, type TrainOptions, type TrainResult, train } from './train.ts';
