export { BedsideError, ERROR_CODES, type ErrorCode, messageOf, must } from './errors.ts';
export { largest, smallest } from './extremes.ts';
export { assertWritable, writeFileAtomic } from './files.ts';
export {
  counted,
  firstOf,
  formatBytes,
  formatCount,
  formatJoules,
  formatPercent,
  formatSeconds,
} from './format.ts';
export { clearMemoryLater } from './garbage.ts';
export { plainJson, plainLine, plainText } from './plain.ts';
export { median } from './statistics.ts';
export {
  formatMeasure,
  hasClasses,
  MEASURE_WORDS,
  type MeasureName,
  TASK_MEASURES,
  TASKS,
  type TaskKind,
} from './task.ts';
export { VERSION } from './version.ts';
