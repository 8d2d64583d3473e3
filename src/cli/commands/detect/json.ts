// Found beats as the JSON object of --json.
import type { DetectResult } from '../../../app/detect/detect.ts';

/** The fields of the contract. Figures of recordings that were not compared are null. */
export function detectedJson({ records, gross, average, learning }: DetectResult): object {
  return {
    records: records.map((record) => {
      const { tp, fp, fn } = record;
      return Number.isNaN(record.sensitivity) && tp + fp + fn === 0
        ? { ...record, tp: null, fp: null, fn: null }
        : record;
    }),
    ...{ gross, average, learning },
  };
}
