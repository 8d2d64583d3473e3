// For sibling folders only: nothing here is published.

export { rankAuto } from './auto/auto.ts';
export {
  AUTO_CANDIDATES,
  type AutoChoice,
  autoCriterion,
  type CriterionChoice,
  isAuto,
} from './auto/criterion-choice.ts';
export type { CalibrationDraw, FinishedNetwork } from './compare/compare.ts';
export type { CalibrationDrawName, CompareRow } from './compare/compare-rows.ts';
export { protectedGroups } from './prune-model.ts';
export { calibrationBatches, scoreBy, scoreLayers } from './score/score-model.ts';
export { remarksOn, type ScoreRemark, withStandIns } from './score/unexplained.ts';
export { type Normalisation, type UnitScores, unitScores } from './score/unit-scores.ts';
export { detectBlock } from './select/block.ts';
export { reachingBlock, usualBlock } from './select/reach.ts';
export { alignedCount, ranked } from './select/select.ts';
