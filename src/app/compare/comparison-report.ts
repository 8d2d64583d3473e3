// The data of a comparison's report.
import { basename } from 'node:path';
import type { Dataset } from '../../data/index.ts';
import { mainMeasure } from '../../evaluate/internal.ts';
import type { CriteriaComparison } from '../../prune/index.ts';
import type { ReportData, ReportHeatmap, SourceRow } from '../../report/index.ts';
import { hasClasses, VERSION } from '../../util/index.ts';
import { hashNetwork, type Network } from '../network/network.ts';

/** The facts of a report beside the measurements. */
export interface ReportWords {
  readonly title: string;
  /** The command that made the comparison. */
  readonly command: string;
  /** Default the middle ratio. */
  readonly recallRatio?: number;
  readonly heatmaps?: readonly ReportHeatmap[];
}

/**
 * Gathers the data of a report.
 * @throws BedsideError E_FILE if the file of the network cannot be read
 */
export async function comparisonReport(
  network: Network,
  { calibration, test }: { readonly calibration: Dataset; readonly test: Dataset },
  { base, rows, seconds }: CriteriaComparison,
  words: ReportWords,
): Promise<ReportData> {
  const sourceRows = rows.flatMap((row): SourceRow[] => (row.mix ? [{ ...row, mix: row.mix }] : []));
  return {
    ...words,
    date: new Date().toISOString(),
    version: VERSION,
    model: {
      name: basename(network.name),
      sha256: await hashNetwork(network),
      macs: base.macs,
      uncounted: base.uncounted,
      parameters: base.parameters,
    },
    data: {
      name: test.name,
      sha256: test.hash,
      calibration: calibration.size,
      test: test.size,
      ...(test.labels ? { testPerClass: samplesPerClass(test.labels, base.recall.length) } : {}),
    },
    classNames: test.classNames,
    ...(hasClasses(base.task) ? {} : { measure: mainMeasure(base.measures).name }),
    base: { accuracy: base.accuracy, balancedAccuracy: base.balancedAccuracy, recall: base.recall },
    rows: rows.filter(({ mix }) => mix === undefined || mix === 'local'),
    ...(sourceRows.length > 0 ? { sources: sourceRows } : {}),
    seconds,
  };
}

function samplesPerClass(labels: Int32Array, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}
