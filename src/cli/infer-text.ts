// What `bedside infer` tells, for people and for programs.
import { type Bundle, findVariant } from '../bundle/index.ts';
import { accuracies } from '../evaluate/index.ts';
import type { Fleet, PlanView } from '../plan/index.ts';
import type { DeviceReport } from '../run/index.ts';
import { formatBytes, formatPercent, formatSeconds, median, percentile, plainLine } from '../util/index.ts';
import type { Inferred } from './infer-run.ts';
import type { Output } from './output.ts';
import type { LeftOut } from './ready-plan.ts';
import { indent, table } from './tables.ts';

/** What happened. */
export interface Outcome {
  readonly bundle: Bundle;
  readonly fleet: Fleet;
  readonly view: PlanView;
  readonly found: Inferred;
  readonly reports: readonly DeviceReport[];
  readonly lost: readonly string[];
  /** Devices that took no part. */
  readonly leftOut: readonly LeftOut[];
  /** Batches of more than one request. */
  readonly batches: number;
}

/** How far logits may be from those of one machine. */
const TOLERANCE = 1e-4;

/** Says it, and under --json gives it as one object. */
export function tellInferred(output: Output, outcome: Outcome): void {
  const { bundle, fleet, view, found, reports, lost, leftOut, batches } = outcome;
  const { n, predictions, expected, seconds, maxDifference, replanned, missed, fallbacks, unsure } = found;
  const { classes } = bundle.manifest.model.output;
  const accuracy = n === 0 ? Number.NaN : accuracies(predictions, expected, classes).accuracy;
  const [p50, p95] = [1000 * median(seconds), 1000 * percentile(seconds, 0.95)];
  const bytesMoved = reports.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
  const matchesSingleMachine = maxDifference <= TOLERANCE;
  output.result({
    n,
    missed,
    accuracy,
    matchesSingleMachine,
    maxDifference,
    msPerRequest: p50,
    p95,
    bytesMoved,
    fallbacks,
    unsure,
    batches,
    replanned,
    adapted: found.adapted,
    lost,
    leftOut,
    levels: view.levels,
    variant: findVariant(bundle.manifest, view.levels) ?? null,
    stages: view.stages.map(({ index, level, segments }) => ({ index, level, segments })),
    predictedMs: 1000 * view.latency,
    devices: reports.map(({ name, sessions, memoryUsed, bytesSent }) => ({
      name,
      sessions,
      memoryUsed,
      bytesSent,
    })),
  });
  const remarks = [
    ...(fallbacks + unsure > 0
      ? [`unsure          ${fallbacks} ran again unpruned${lateWords(unsure)}`]
      : []),
    ...(batches > 0 ? [`batches         ${batches} of more than one request`] : []),
    ...(found.adapted > 0 ? [`times changed   planned anew ${found.adapted} times`] : []),
    ...(lost.length > 0
      ? [plainLine(`lost            ${lost.join(', ')}; ${replanned} requests planned anew`)]
      : []),
    ...leftOut.map(({ device, message }) => plainLine(`left out        ${device}: ${message}`)),
  ];
  output.say(
    [
      plainLine(`${bundle.manifest.name} on ${fleet.name}: levels ${view.levels.join(',')}`),
      '',
      `accuracy        ${n === 0 ? '-' : formatPercent(accuracy)} of ${n} samples${missed > 0 ? `; ${missed} more had no result in time` : ''}`,
      `one machine     ${matchesSingleMachine ? 'gives the same' : 'gives OTHER logits'}: largest difference ${maxDifference.toExponential(1)}`,
      `time            ${formatSeconds(p50 / 1000)} a request, 95 % within ${formatSeconds(p95 / 1000)}, planned ${formatSeconds(view.latency)}`,
      `moved           ${formatBytes(bytesMoved)} between devices`,
      ...remarks,
      '',
      indent(
        table(
          ['device', 'stages', '>sessions', '>memory', '>sent'],
          reports.map(({ name, sessions, memoryUsed, bytesSent }) => [
            name,
            stagesOf(view, name),
            String(sessions),
            formatBytes(memoryUsed),
            formatBytes(bytesSent),
          ]),
        ),
      ),
    ].join('\n'),
  );
}

function lateWords(unsure: number): string {
  return unsure > 0 ? `; ${unsure} stood, for want of time` : '';
}

/** The stages that a device takes part in; shared ones with a slash and among how many. */
function stagesOf({ stages }: PlanView, name: string): string {
  const own = stages.filter(({ segments }) => segments.some(({ device }) => device === name));
  const words = own.map(({ index, segments }) =>
    segments.length === 1 ? `${index}` : `${index}/${segments.length}`,
  );
  return words.join(' ') || '-';
}
