export { BedsideError, ERROR_CODES, type ErrorCode, messageOf, must } from './errors.ts';
export { assertWritable, readFileChecked, readTextChecked, writeFileAtomic } from './files.ts';
export { formatBytes, formatCount, formatJoules, formatPercent, formatSeconds } from './format.ts';
export { Random } from './random.ts';
export { RandomLanes } from './random-lanes.ts';
export { binomialLowerBound, median, percentile } from './statistics.ts';
export { startThread } from './thread.ts';
