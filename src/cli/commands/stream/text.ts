// The summary of a stream as text.

import type { DeliveryStates } from '../../../app/interop/outlets.ts';
import type { BedResult, StreamFigures, StreamResult } from '../../../app/stream/events.ts';
import { formatPercent, formatSeconds, plainLine } from '../../../util/index.ts';
import { describeDeliveries } from '../../terminal/delivery.ts';
import { indent, table } from '../../terminal/tables.ts';

/** What was found in all, and a table of beds. */
export function describeStreamed(result: StreamResult & DeliveryStates): string {
  const { beds } = result;
  const deliveries = describeDeliveries(result);
  return [
    ...describeFigures(result),
    ...beds.flatMap((bed) => [
      '',
      plainLine(`${bed.bed}  (${bed.source}, lead ${bed.lead || '-'})`),
      ...describeBed(bed, beds.length > 1),
    ]),
    ...(deliveries.length > 0 ? ['', ...deliveries] : []),
    '',
    'Not for clinical use.',
  ].join('\n');
}

function describeFigures({ seconds, classes, ...all }: StreamFigures): string[] {
  const { beats, answered, late, lost, heartRate, latency } = all;
  const rows = [
    ['signal', formatSeconds(seconds)],
    ['beats', `${beats}: ${answered} answered, ${late} late, ${lost} lost`],
    ...Object.entries(all.reasons).map(([reason, count]) => ['', `${count} without an answer: ${reason}`]),
    [
      'classes',
      Object.entries(classes)
        .map(([name, count]) => `${name} ${count}`)
        .join('  '),
    ],
    ['heart rate', rateText(heartRate)],
    [
      'R peak to answer',
      Number.isNaN(latency.p50)
        ? '-'
        : `${formatSeconds(latency.p50)} in the middle, ${formatSeconds(latency.p95)} (95 %), ${formatSeconds(latency.p99)} (99 %)`,
    ],
    ...qualityRows(all),
  ];
  return [table(['', ''], rows).split('\n').slice(1).join('\n')];
}

function qualityRows({
  qrs,
  accuracy,
  balancedAccuracy,
}: Omit<StreamFigures, 'seconds' | 'classes'>): string[][] {
  if (!qrs) return [];
  const { sensitivity, positivePredictivity, learning } = qrs;
  const share = (value: number): string => (Number.isNaN(value) ? '-' : formatPercent(value));
  return [
    [
      'beats found',
      `${share(sensitivity)} sensitivity, ${share(positivePredictivity)} positive predictivity, without the first ${learning} s`,
    ],
    ...(accuracy === undefined || balancedAccuracy === undefined
      ? []
      : [['classes right', `${share(accuracy)}, mean recall ${share(balancedAccuracy)}`]]),
  ];
}

function describeBed(bed: BedResult, isOneOfSeveral: boolean): string[] {
  const { signal, rhythm } = bed;
  const seconds = (value: number): string => formatSeconds(value);
  const troubles = [
    ...(signal.gaps > 0 ? [`${signal.gaps} gaps`] : []),
    ...(signal.missing > 0 ? [`${seconds(signal.missing)} missing`] : []),
    ...(signal.flat > 0 ? [`${seconds(signal.flat)} flat`] : []),
    ...(signal.saturated > 0 ? [`${seconds(signal.saturated)} saturated`] : []),
    ...(signal.late > 0 ? [`${signal.late} samples too late`] : []),
    ...(signal.rateChanges > 0 ? [`${signal.rateChanges} changes of rate`] : []),
    ...(signal.restarts > 0 ? [`${signal.restarts} new starts`] : []),
    ...(signal.malformed > 0 ? [`${signal.malformed} packets that could not be read`] : []),
    ...(signal.drift !== undefined && Math.abs(signal.drift) >= 50
      ? [`clock off by ${Math.round(signal.drift)} ppm`]
      : []),
  ];
  return [
    ...(isOneOfSeveral ? [indent(describeFigures(bed).join('\n'))] : []),
    indent(
      `rhythm   ${rhythm.couplets === null ? '' : `${rhythm.couplets} couplets, ${rhythm.ventricularRuns} ventricular runs (longest ${rhythm.longestRun}), `}` +
        `${rhythm.pauses} pauses${rhythm.pauses > 0 ? ` (longest ${seconds(rhythm.longestPause)})` : ''}`,
    ),
    indent(`rules    ${rhythm.rules}`),
    indent(`signal   ${troubles.length > 0 ? troubles.join(', ') : 'nothing missing'}`),
  ];
}

function rateText(rate: StreamFigures['heartRate']): string {
  if (!rate) return '-';
  return `${rate.mean.toFixed(0)} beats a minute, ${rate.min.toFixed(0)} to ${rate.max.toFixed(0)}`;
}
