export { availableMemory } from './available-memory.ts';
export { BedsideError, ERROR_CODES, type ErrorCode, messageOf, must } from './errors.ts';
export { largest, smallest } from './extremes.ts';
export { assertWritable, throughTemporary, writeFileAtomic } from './files.ts';
export {
  argmax,
  assertFiniteRows,
  assertFiniteSamples,
  firstNonFinite,
  tellNonFinite,
} from './finite.ts';
export { formatBytes, formatCount, formatJoules, formatPercent, formatSeconds } from './format.ts';
export { hashArrays } from './hash-arrays.ts';
export { atExit, clearLeftovers, removedAtExit, removeLeftovers, temporaryFolder } from './leftovers.ts';
export { plainJson, plainLine, plainText } from './plain.ts';
export { Random } from './random.ts';
export { RandomLanes } from './random-lanes.ts';
export {
  MAX_TEXT_BYTES,
  type ReadLimit,
  RegularFile,
  readFileChecked,
  readTextChecked,
} from './regular-file.ts';
export { rowRange, rowsAt } from './rows.ts';
export { softmax } from './softmax.ts';
export { binomialLowerBound, median, percentile } from './statistics.ts';
export { startThread } from './thread.ts';
export { VERSION } from './version.ts';
