// The second half of the demo for people: the bundle, the stream of requests, and the comparisons.

import type { PackResult } from '../../../app/bundle/pack.ts';
import type { ComparedPlanner } from '../../../app/demo/planner-comparison.ts';
import type { FleetEvent, StreamedRequest } from '../../../app/demo/request-stream.ts';
import { COMPARED_FLOORS, type ComparedStrategy } from '../../../app/plan/strategy-comparison.ts';
import type { Fleet } from '../../../plan/index.ts';
import { formatBytes, formatPercent, formatSeconds } from '../../../util/index.ts';
import { indent, table } from '../../terminal/tables.ts';

/** Characters of the longest bar. */
const BAR = 24;

/** What packing does. */
export function describePacking(levels: number): string {
  return `\n6. Pack: one network at every width, ${levels} levels for each group of channels, measured on separate samples.\n`;
}

/** The bundle that was written. */
export function describePacked({ manifest, bytes, seconds, out }: PackResult): string {
  const time = formatSeconds(seconds.total ?? 0);
  return `   ${manifest.variants.length} level vectors measured, ${formatBytes(bytes)}, in ${time}: ${out}`;
}

/** The devices, and what a planner decides. */
export function describeFleet(servers: readonly string[] | undefined, margin: number): string {
  return (
    '\n7. A fleet: four devices, processes of this machine slowed down to unequal speed' +
    `${servers ? `, over ${servers.join(', ')}` : ''}. The monitor has the input. The\n` +
    '   visitor is not trusted and may see the second half of the network only. For every request the planner chooses the\n' +
    `   level of each group and the devices of each stage. An answer with less than ${margin} confidence is repeated unpruned.\n`
  );
}

/** The titles of the requests. */
export function describeStreamHead({ devices }: Fleet): string {
  const letters = devices.map(({ name }) => `${initial(name)} ${name}`).join(', ');
  const titles = columns(['answer', 'sure', 'levels', 'stages', 'time', 'planned', '']);
  return `   Stages on ${letters}. Time: █ computing, ░ on the way, as planned.\n\n${titles}`;
}

/** One request. `longest` is the time that fills the bar. */
export function describeRequest(request: StreamedRequest, longest: number): string {
  const verdict = request.right === null ? '' : request.right ? ' ✓' : ' ✗';
  const where = request.devices.map((names) => names.split('+').map(initial).join('')).join(' ');
  const length = Math.min(BAR, Math.max(1, Math.round((request.seconds / longest) * BAR)));
  const computing = Math.round(request.computing * length);
  const bar = '█'.repeat(computing) + '░'.repeat(length - computing);
  const remark = [
    request.replanned > 0 ? 'moved on the way' : '',
    request.fallback === 'taken' ? 'unsure, repeated unpruned' : '',
    request.fallback === 'late' || request.fallback === 'failed' ? 'unsure' : '',
  ].filter((text) => text !== '');
  return columns([
    `${request.answer}${verdict}`,
    `${(100 * request.margin).toFixed(0)} %`,
    request.levels.join(''),
    where,
    formatSeconds(request.seconds),
    formatSeconds(request.planned),
    `${bar} ${remark.join(', ')}`.trimEnd(),
  ]);
}

/** A change of the fleet. */
export function describeEvent(event: FleetEvent): string {
  switch (event.kind) {
    case 'throttled':
      return `   -- the link ${event.from} - ${event.to} falls to a twentieth`;
    case 'replanned':
      return '   -- planned anew for the link as it is';
    case 'killed':
      return `   -- ${event.device} is killed (SIGKILL) while it is at work`;
  }
}

/** What the strategies are compared by. */
export const STRATEGIES_TITLE =
  '\n8. Which gains come from what? Each strategy is planned for least time at the same accuracy floors, on the fleet as it was\n' +
  '   at first. Times are medians of requests, accuracies are measured on test samples.\n';

/** A row for each strategy, two columns for each floor. */
export function describeStrategies(rows: readonly ComparedStrategy[]): string {
  const strategies = [...new Set(rows.map(({ strategy }) => strategy))];
  const titles = COMPARED_FLOORS.flatMap((floor) => [
    `>${floor === 0 ? 'as unpruned' : `${100 * floor} point${floor > 0.01 ? 's' : ''} less`}`,
    '>accuracy',
  ]);
  const cells = (strategy: string, floor: number): string[] => {
    const found = rows.find((row) => row.strategy === strategy && row.floor === floor)?.found;
    return found ? [formatSeconds(found.measured), formatPercent(found.accuracy)] : ['no plan', ''];
  };
  return indent(
    table(
      ['strategy', ...titles],
      strategies.map((strategy) => [strategy, ...COMPARED_FLOORS.flatMap((floor) => cells(strategy, floor))]),
    ),
  );
}

/** A row for each planner; gaps to the first. */
export function describePlanners(rows: readonly ComparedPlanner[]): string {
  const best = rows[0]?.objective ?? Number.NaN;
  const body = rows.map(({ solver, objective, seconds }) => [
    solver,
    Number.isFinite(objective) ? objective.toFixed(4) : 'no plan',
    Number.isFinite(objective) ? formatPercent(objective / best - 1) : '',
    formatSeconds(seconds),
  ]);
  return (
    '\n9. Which planner? One request with free levels, on the fleet as it was at first: proven optimal, by guided search, by the\n' +
    '   learned policy in the package, and greedily.\n\n' +
    indent(table(['planner', '>objective', '>above exact', '>time to decide'], body))
  );
}

function columns(cells: readonly [string, string, string, string, string, string, string]): string {
  const [answer, sure, levels, stages, time, planned, rest] = cells;
  const words = [
    ...[answer.padEnd(6), sure.padStart(6), levels.padEnd(8), stages.padEnd(12)],
    ...[time.padStart(8), planned.padStart(8), rest],
  ];
  return `   ${words.join('  ')}`.trimEnd();
}

function initial(name: string): string {
  return name.slice(0, 1).toUpperCase();
}
