// A plan for people: a table of stages, a timeline of devices, their memory and energy, and totals beside other plans.
import { roundsAnything } from '../../../app/options.ts';
import type { PlanTotals } from '../../../app/plan/baselines.ts';
import type { PlanView } from '../../../plan/index.ts';
import { formatBytes, formatJoules, formatPercent, formatSeconds, plainLine } from '../../../util/index.ts';
import { indent, table } from '../../terminal/tables.ts';

/** One planner's plan in the comparison of totals; its figures are null if it found none. */
export interface TotalsRow {
  readonly name: string;
  readonly totals: PlanTotals;
  readonly note: string;
}

const WIDTH = 56;

/** Stages: devices with their channels, the level, and the times of the member that ends last. */
function describeStages({ stages }: PlanView): string {
  const rounds = roundsAnything(stages);
  return table(
    [
      ...['>stage', 'devices (channels)', '>level'],
      ...(rounds ? ['computes in', 'receives'] : []),
      ...['>wait', '>transfer', '>compute', '>ends', '>memory'],
    ],
    stages.map((stage) => [
      String(stage.index),
      stage.segments.map(({ device, from, to }) => `${device} [${from}, ${to})`).join(' + '),
      String(stage.level),
      ...(rounds ? [stage.precision, stage.bytes > 0 ? stage.wire : ''] : []),
      stage.wait > 0 ? formatSeconds(stage.wait) : '',
      stage.transfer > 0 ? formatSeconds(stage.transfer) : '',
      formatSeconds(stage.compute),
      formatSeconds(stage.end),
      formatBytes(stage.weightBytes + stage.activationBytes),
    ]),
  );
}

/** A row for each device, time to the right: `-` receives, `.` waits, `#` computes. */
function describeTimeline({ source, stages, latency, result, devices }: PlanView): string {
  const used = devices.filter(({ name }) =>
    stages.some(({ segments }) => name === source || segments.some(({ device }) => device === name)),
  );
  const width = used.reduce((most, { name }) => Math.max(most, plainLine(name).length), 0);
  const column = (seconds: number): number =>
    Math.min(WIDTH, Math.round((seconds / Math.max(latency, Number.MIN_VALUE)) * WIDTH));
  const rows = used.map(({ name }) => {
    const cells = Array.from({ length: WIDTH }, () => ' ');
    const paint = (from: number, to: number, mark: string): void => {
      const start = Math.min(WIDTH - 1, column(from));
      // Every event is visible, however short.
      for (let at = start; at < Math.max(start + 1, column(to)); at++) cells[at] = mark;
    };
    for (const { start, members } of stages) {
      for (const { device, transfer, wait, compute } of members) {
        if (device !== name) continue;
        if (transfer > 0) paint(start, start + transfer, '-');
        if (wait > 0) paint(start + transfer, start + transfer + wait, '.');
        paint(start + transfer + wait, start + transfer + wait + compute, '#');
      }
    }
    if (result > 0 && name === source) paint(latency - result, latency, '-');
    return `${plainLine(name).padEnd(width)} |${cells.join('')}|`;
  });
  const scale = formatSeconds(latency);
  return [
    ...rows,
    `${' '.repeat(width)}  0${scale.padStart(WIDTH - 1)}`,
    `${' '.repeat(width)}  - receives  . waits  # computes`,
  ].join('\n');
}

/** Memory and energy of the devices that the plan uses. */
function describeDevices({ devices }: PlanView): string {
  return table(
    ['device', '>weights', '>activations', '>of memory', '>energy', '>to load'],
    devices
      .filter(({ weightBytes }) => weightBytes > 0)
      .map((device) => [
        device.name,
        formatBytes(device.weightBytes),
        formatBytes(device.activationBytes),
        formatPercent((device.weightBytes + device.activationBytes) / device.memory),
        formatJoules(device.energy),
        device.toLoad > 0 ? formatBytes(device.toLoad) : '',
      ]),
  );
}

/**
 * One row a planner.
 * @param figure what the bundle's measure is called, and how its values are written
 */
export function describeTotals(
  rows: readonly TotalsRow[],
  figure: { readonly name: string; readonly format: (value: number) => string },
): string {
  const cell = (value: number | null, format: (value: number) => string): string =>
    value === null ? '' : format(value);
  return table(
    ['plan', '>objective', '>time', '>energy', `>${figure.name}`, ''],
    rows.map(({ name, totals, note }) => [
      name,
      cell(totals.objective, (value) => value.toFixed(4)),
      cell(totals.latency, formatSeconds),
      cell(totals.energy, formatJoules),
      cell(totals.accuracy, figure.format),
      note,
    ]),
  );
}

/** Stages, timeline and devices. */
export function describeView(view: PlanView): string {
  return [describeStages(view), '', indent(describeTimeline(view)), '', describeDevices(view)].join('\n');
}
