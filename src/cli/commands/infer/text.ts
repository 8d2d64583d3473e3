// The answers of a bundle, and what they cost, as text.
import type { InferResult } from '../../../app/run/infer.ts';
import { formatBytes, formatMeasure, formatSeconds, MEASURE_WORDS, plainLine } from '../../../util/index.ts';
import { indent, table } from '../../terminal/tables.ts';

/** The result of a run: its figures, what happened meanwhile, and a table of devices. */
export function describeInferred(result: InferResult): string {
  const { bundle, fleet, plan, n, missed, measure, accuracy, maxDifference, msPerRequest, p95, bytesMoved } =
    result;
  const isAgreement = measure === 'agreement';
  const word = isAgreement ? 'agreement' : MEASURE_WORDS[measure];
  const against = isAgreement ? ' with the unpruned network, as nothing labels them' : '';
  const late = missed > 0 ? `; ${missed} more had no result in time` : '';
  const same = result.matchesSingleMachine ? 'gives the same' : 'gives OTHER logits';
  return [
    plainLine(`${bundle} on ${fleet}: levels ${plan.levels.join(',')}`),
    '',
    `${word.padEnd(15)} ${formatMeasure(measure, accuracy)} of ${n} samples${against}${late}`,
    `one machine     ${same}: largest difference ${maxDifference.toExponential(1)}`,
    `time            ${formatSeconds(msPerRequest / 1000)} a request, 95 % within ${formatSeconds(p95 / 1000)}, planned ${formatSeconds(plan.latency)}`,
    `moved           ${formatBytes(bytesMoved)} between devices`,
    ...describeEvents(result),
    '',
    indent(
      table(
        ['device', 'stages', '>sessions', '>memory', '>sent'],
        result.devices.map(({ name, sessions, memoryUsed, bytesSent }) => [
          name,
          stagesOf(plan, name),
          String(sessions),
          formatBytes(memoryUsed),
          formatBytes(bytesSent),
        ]),
      ),
    ),
  ].join('\n');
}

/** Fallbacks, batches, changed plans and missing devices: a line for each kind that occurred. */
function describeEvents(result: InferResult): string[] {
  const { fallbacks, unsure, batches, adapted, lost, replanned, leftOut } = result;
  const stood = unsure > 0 ? `; ${unsure} stood, as there was no time` : '';
  return [
    ...(fallbacks + unsure > 0 ? [`uncertain       ${fallbacks} ran again unpruned${stood}`] : []),
    ...(batches > 0 ? [`batches         ${batches} of more than one request`] : []),
    ...(adapted > 0 ? [`changed plan    planned again ${adapted} times between requests`] : []),
    ...(lost.length > 0
      ? [plainLine(`lost            ${lost.join(', ')}; ${replanned} requests planned again`)]
      : []),
    ...leftOut.map(({ device, message }) => plainLine(`left out        ${device}: ${message}`)),
  ];
}

/** The stages that a device takes part in; shared ones with a slash and the number of devices. */
function stagesOf({ stages }: InferResult['plan'], name: string): string {
  const own = stages.filter(({ segments }) => segments.some(({ device }) => device === name));
  const words = own.map(({ index, segments }) =>
    segments.length === 1 ? `${index}` : `${index}/${segments.length}`,
  );
  return words.join(' ') || '-';
}
