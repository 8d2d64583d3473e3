// The demo as the JSON object of --json.
import type { DemoResult } from '../../../app/demo/demo.ts';
import { must } from '../../../util/index.ts';
import { higherHalf } from '../../terminal/sparkline.ts';
import { baseFields, rowFields } from '../compare/json.ts';
import { ranking } from '../compare/tables.ts';
import { prunedJson } from '../prune/json.ts';

/** The fields of the contract. */
export function demoJson(result: DemoResult): object {
  const { network, grouping, sets, scores, comparison, labels, pruned, bytes, files } = result;
  const { macs, uncounted, parameters } = network.costs;
  const measure = labels.imbalanced ? 'balancedAccuracy' : 'accuracy';
  return {
    model: network.name,
    data: { name: sets.test.name, calibration: sets.calibration.size, test: sets.test.size },
    network: { macs, uncounted, parameters, groups: grouping.groups.length },
    base: baseFields(comparison.base),
    relevance: {
      criterion: result.scoredBy,
      groups: grouping.groups.map(({ id, channels, layers }) => {
        const own = must(scores.get(id), `no scores of group ${id}`);
        return { id, channels, layers, higherHalf: higherHalf(own), scores: Array.from(own) };
      }),
    },
    rows: rowFields(comparison.rows),
    seconds: comparison.seconds,
    best: must(ranking(comparison, measure)[0], 'no criterion was compared'),
    prune: { ...prunedJson(pruned), bytesBefore: bytes.before, bytesAfter: bytes.after },
    room: roomFields(result),
    files,
    totalSeconds: result.seconds,
  };
}

function roomFields({ fleet }: DemoResult): object {
  const { bundle, requests, strategies, planners, interrupted } = fleet;
  const ways = strategies.map(({ strategy, ...row }) => ({ way: strategy, ...row }));
  return { bundle, requests, ways, deciders: planners, interrupted };
}
