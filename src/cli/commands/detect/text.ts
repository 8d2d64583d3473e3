// Found beats as text.
import type { DetectedRecord, DetectResult } from '../../../app/detect/detect.ts';
import { counted, formatSeconds, plainLine } from '../../../util/index.ts';
import { table } from '../../terminal/tables.ts';

/** A table of recordings, with gross and average figures where several were compared. */
export function describeDetected({ records, gross, average, learning }: DetectResult): string {
  const compared = records.filter(({ tp, fn }) => tp + fn > 0);
  const rows = records.map((record) => [
    ...[record.name, record.lead, String(record.beats)],
    ...(compared.includes(record) ? figures(record) : ['-', '-', '-', '-', '-']),
  ]);
  if (compared.length > 1) {
    rows.push(['gross', '', '', ...figures(gross)]);
    rows.push([
      ...['average', '', '', '', '', ''],
      percent(average.sensitivity),
      percent(average.positivePredictivity),
    ]);
  }
  const delay = records.reduce((most, { longestDelay }) => Math.max(most, longestDelay), 0);
  const load = records.reduce((most, own) => Math.max(most, own.load), 0);
  return [
    table(
      ['record', 'lead', '>beats', '>right', '>false', '>missed', '>sensitivity', '>pos. predictivity'],
      rows,
    ),
    '',
    ...records.flatMap(troubles),
    `beats told at most ${formatSeconds(delay)} after their R peak; at most ${(100 * load).toFixed(3)} % of a core a lead`,
    ...(compared.length > 0
      ? [`compared beat by beat within 150 ms, without the first ${formatSeconds(learning)} (ANSI/AAMI EC57)`]
      : []),
  ].join('\n');
}

/** A line for a recording whose lead could not be read all the time. */
function troubles({ name, signal }: DetectedRecord): string[] {
  const parts = (['missing', 'flat', 'saturated'] as const).flatMap((what) => {
    const times = signal.times[what];
    return times > 0 ? [`${formatSeconds(signal[what])} ${what} (${counted(times, 'time')})`] : [];
  });
  return parts.length > 0 ? [plainLine(`${name}: ${parts.join(', ')}; no beats are looked for there`)] : [];
}

function figures({
  tp,
  fp,
  fn,
  sensitivity,
  positivePredictivity,
}: Pick<DetectedRecord, 'tp' | 'fp' | 'fn' | 'sensitivity' | 'positivePredictivity'>): string[] {
  return [String(tp), String(fp), String(fn), percent(sensitivity), percent(positivePredictivity)];
}

/** With two decimals: most differences between detectors are there. */
function percent(share: number): string {
  return Number.isNaN(share) ? '-' : `${(100 * share).toFixed(2)} %`;
}
