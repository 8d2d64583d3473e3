// For sibling folders only: nothing here is published.

export { AskedThread, answerQuestions } from './asked-thread.ts';
export { availableMemory } from './available-memory.ts';
export { nearestNames } from './closest-names.ts';
export { CONTRACT_KEY } from './contract-key.ts';
export {
  channelsOf,
  foundMasks,
  predictedClasses,
  type ScoreForm,
  thresholdOf,
  trueMasks,
  usesThreshold,
  yesOrNo,
} from './decisions.ts';
export { deleteOldest } from './delete-oldest.ts';
export { clamp } from './extremes.ts';
export { throughTemporary } from './files.ts';
export { argmax, assertFiniteRows, assertFiniteSamples, firstNonFinite, tellNonFinite } from './finite.ts';
export { fromBfloat, fromHalf } from './half-floats.ts';
export { hashArrays } from './hash-arrays.ts';
export { atExit, clearLeftovers, removedAtExit, removeLeftovers, temporaryFolder } from './leftovers.ts';
export { isLoopback } from './loopback.ts';
export { loadOptional } from './optional-package.ts';
export { commandLineOf, OWN_PID, signalProcess } from './processes.ts';
export { Random } from './random.ts';
export { RandomLanes } from './random-lanes.ts';
export { isRecord } from './record.ts';
export { MAX_TEXT_BYTES, RegularFile, readFileChecked, readTextChecked } from './regular-file.ts';
export { joinedRows, rowRange, rowsAt } from './rows.ts';
export { sha256Of } from './sha256.ts';
export { softmax } from './softmax.ts';
export { binomialLowerBound, percentile } from './statistics.ts';
export { atOnce, inTurns, type Steps } from './steps.ts';
export { startThread } from './thread.ts';
export {
  fromUint8,
  LEAST_SCALE,
  MOST_UINT8,
  roundEven,
  scaleOfRange,
  toUint8,
  type ValueRange,
  type ValueScale,
} from './uint8.ts';
export { waitUntil } from './wait.ts';
