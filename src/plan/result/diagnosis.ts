// Diagnosis of a request without a plan: for each number, the smallest change that alone makes a plan possible.
import { figureWord } from '../../bundle/internal.ts';
import { formatBytes, formatJoules, formatSeconds, must } from '../../util/index.ts';
import { buildProblem, type PlanningProblem } from '../problem/build-instance.ts';
import type { PlanningInstance, Solution } from '../problem/instance.ts';
import { checkPlan, type PlanCheck } from './check-plan.ts';

/** Numbers that can be relaxed. */
export type RelaxedNumber = 'deadline' | 'accuracy' | 'memory' | 'energy' | 'privacy' | 'network';

/** A change that makes a plan possible. */
export interface Relaxation {
  readonly constraint: RelaxedNumber;
  /** Name; where it concerns one. */
  readonly device?: string | undefined;
  /** As it is, and as it would have to be: seconds, accuracy, bytes, joules; times as fast for `network`. */
  readonly from: number;
  readonly to: number;
  /** For people: `14 MiB more on tablet-2`. */
  readonly text: string;
}

/** Why there is no plan. */
export interface Diagnosis {
  /** Relaxations, the smallest relative change first. */
  readonly relaxations: readonly Relaxation[];
  /** One sentence with the binding constraint and what helps. */
  readonly text: string;
}

/** Solves an instance as well as it can; a plan need not be the best. */
export type Solve = (instance: PlanningInstance) => Promise<Solution>;

/** How far a bisected number may be from the smallest one, relative. */
const PRECISION = 0.01;
const MOST_STEPS = 16;
const PLENTY = 1e15;

/**
 * Diagnoses an infeasible problem. Deadline and floor are optimised outright; other numbers are bisected to 1 %.
 * Calls `solve` some dozens of times.
 * @param stop once true, nothing further is tried, and what is being bisected stays as near as it is
 */
export async function diagnose(
  problem: PlanningProblem,
  solve: Solve,
  stop: () => boolean = () => false,
): Promise<Diagnosis> {
  const tries: (() => Promise<Relaxation | undefined>)[] = [
    () => relaxDeadline(problem, solve),
    () => relaxFloor(problem, solve),
    ...problem.fleet.devices.flatMap((_, d) => [
      () => relaxDevice(problem, solve, d, 'memory', stop),
      () => relaxDevice(problem, solve, d, 'energy', stop),
    ]),
    () => relaxPrivacy(problem, solve),
    () => relaxNetwork(problem, solve, stop),
  ];
  const relaxations: Relaxation[] = [];
  for (const attempt of tries) {
    const relaxation = stop() ? undefined : await attempt();
    if (relaxation) relaxations.push(relaxation);
  }
  relaxations.sort((a, b) => change(a) - change(b));
  const [first, ...others] = relaxations;
  if (first) return { relaxations, text: tellBinding(problem, first, others) };
  const tried = stop() ? 'there was no time to try every single change' : 'no single change helps';
  return { relaxations, text: `${tried}; ${await tellTogether(problem, solve)}` };
}

/** The plan's costs, or undefined when none was found. */
async function planned(instance: PlanningInstance, solve: Solve): Promise<PlanCheck | undefined> {
  const { decisions } = await solve(instance);
  if (!decisions) return undefined;
  const check = checkPlan(instance, decisions);
  return check.violations.length === 0 ? check : undefined;
}

async function relaxDeadline(problem: PlanningProblem, solve: Solve): Promise<Relaxation | undefined> {
  const { deadline } = problem.instance;
  const weights = { time: 1 / deadline, energy: 0, accuracy: 0 };
  const check = await planned({ ...problem.instance, deadline: PLENTY, weights }, solve);
  if (!check || !(check.latency > deadline)) return undefined;
  const to = check.latency;
  return { constraint: 'deadline', from: deadline, to, text: `a deadline of ${formatSeconds(to)}` };
}

async function relaxFloor(problem: PlanningProblem, solve: Solve): Promise<Relaxation | undefined> {
  const { accuracyFloor: from } = problem;
  const weights = { time: 0, energy: 0, accuracy: 1 };
  const check = await planned({ ...withFloor(problem, 0), weights }, solve);
  if (!check || !(check.accuracy < from)) return undefined;
  // Rounded down, so that the floor in the message can be reached.
  const to = Math.floor(check.accuracy * 1000) / 1000;
  return { constraint: 'accuracy', from, to, text: floorOf(problem, to) };
}

function withFloor({ manifest, fleet, request }: PlanningProblem, accuracyFloor: number): PlanningInstance {
  return buildProblem(manifest, fleet, { ...request, accuracyFloor }).instance;
}

async function relaxDevice(
  problem: PlanningProblem,
  solve: Solve,
  d: number,
  field: 'memory' | 'energy',
  stop: () => boolean,
): Promise<Relaxation | undefined> {
  const { instance } = problem;
  const device = must(instance.devices[d], `device ${d}`);
  const from = device[field];
  if (from >= PLENTY) return undefined;
  const needs = ({ devices }: PlanCheck): number => {
    const { weightBytes, activationBytes, energy } = must(devices[d], `device ${d}`);
    return field === 'energy' ? energy : weightBytes + activationBytes;
  };
  const to = await smallest(from, stop, async (value) => {
    const devices = instance.devices.map((other, at) => (at === d ? { ...other, [field]: value } : other));
    const check = await planned({ ...instance, devices }, solve);
    return check && needs(check);
  });
  if (to === undefined) return undefined;
  const more = field === 'memory' ? formatBytes(to - from) : formatJoules(to - from);
  return { constraint: field, device: device.name, from, to, text: `${more} more on ${device.name}` };
}

/** All links faster by one factor, the same latency. */
async function relaxNetwork(
  problem: PlanningProblem,
  solve: Solve,
  stop: () => boolean,
): Promise<Relaxation | undefined> {
  const { instance } = problem;
  const to = await smallest(1, stop, async (factor) => {
    const bandwidth = instance.bandwidth.map((row) => row.map((value) => value * factor));
    return (await planned({ ...instance, bandwidth }, solve)) && factor;
  });
  if (to === undefined) return undefined;
  return { constraint: 'network', from: 1, to, text: `a network ${to.toFixed(1)} times as fast` };
}

/** Trusts one device that is not trusted. */
async function relaxPrivacy(problem: PlanningProblem, solve: Solve): Promise<Relaxation | undefined> {
  const { manifest, fleet, request } = problem;
  for (const [d, { name, trusted }] of fleet.devices.entries()) {
    if (trusted) continue;
    const devices = fleet.devices.map((device, at) => (at === d ? { ...device, trusted: true } : device));
    const { instance } = buildProblem(manifest, { ...fleet, devices }, request);
    if (!(await planned(instance, solve))) continue;
    return { constraint: 'privacy', device: name, from: 0, to: 1, text: `trust in ${name}` };
  }
  return undefined;
}

/**
 * The smallest value above `from` that has a plan, to a hundredth; undefined when none has.
 * @param needed what the plan at a value really takes, or undefined without a plan
 */
async function smallest(
  from: number,
  stop: () => boolean,
  needed: (value: number) => Promise<number | undefined>,
): Promise<number | undefined> {
  let high = await needed(PLENTY);
  if (high === undefined) return undefined;
  if (high >= PLENTY) high = await firstPower(from, needed);
  let low = from;
  for (let step = 0; step < MOST_STEPS && !stop() && high - low > PRECISION * (high - from); step++) {
    const middle = low > 0 && high / low > 4 ? Math.sqrt(low * high) : (low + high) / 2;
    const found = await needed(middle);
    if (found === undefined) low = middle;
    else high = Math.max(low, Math.min(found, middle));
  }
  return high;
}

/** A value that suffices, when the plan does not say what it takes. */
async function firstPower(
  from: number,
  needed: (value: number) => Promise<number | undefined>,
): Promise<number> {
  let value = from * 4;
  while (value < PLENTY && (await needed(value)) === undefined) value *= 4;
  return value;
}

/** Relative size of a change; trusting somebody comes last. */
function change({ constraint, from, to }: Relaxation): number {
  if (constraint === 'privacy') return Number.POSITIVE_INFINITY;
  return from === 0 ? PLENTY : Math.abs(to - from) / from;
}

function tellBinding(problem: PlanningProblem, first: Relaxation, others: readonly Relaxation[]): string {
  const more = others.slice(0, 3).map(({ text }) => text);
  return `${tellNow(problem, first)} is too tight: needs ${[first.text, ...more].join(', or ')}`;
}

function tellNow(
  { instance, accuracyFloor, manifest }: PlanningProblem,
  { constraint, device, from }: Relaxation,
): string {
  switch (constraint) {
    case 'deadline':
      return `the deadline of ${formatSeconds(instance.deadline)}`;
    case 'accuracy':
      return `the ${figureWord(manifest.accuracy)} floor of ${accuracyFloor.toFixed(3)}`;
    case 'memory':
      return `memory of ${device} (${formatBytes(from)})`;
    case 'energy':
      return `energy of ${device} (${formatJoules(from)})`;
    case 'privacy':
      return `privacy (what ${device} may see)`;
    case 'network':
      return 'the network';
    default:
      return constraint satisfies never;
  }
}

/** Changes that are enough together. */
async function tellTogether(problem: PlanningProblem, solve: Solve): Promise<string> {
  const free: PlanningInstance = {
    ...withFloor(problem, 0),
    deadline: PLENTY,
    devices: problem.instance.devices.map((device) => ({ ...device, memory: PLENTY, energy: PLENTY })),
  };
  const weights = { time: 1 / problem.instance.deadline, energy: 0, accuracy: 1 };
  const check = await planned({ ...free, weights }, solve);
  if (!check)
    return 'no plan exists even without deadline, floor and limits of devices: look at links and privacy';
  const over = check.devices.flatMap((use, d) => {
    const device = must(problem.instance.devices[d], `device ${d}`);
    const bytes = use.weightBytes + use.activationBytes;
    return [
      ...(bytes > device.memory ? [`${formatBytes(bytes - device.memory)} more on ${device.name}`] : []),
      ...(use.energy > device.energy
        ? [`${formatJoules(use.energy - device.energy)} more on ${device.name}`]
        : []),
    ];
  });
  const late =
    check.latency > problem.instance.deadline ? [`a deadline of ${formatSeconds(check.latency)}`] : [];
  const loose = check.accuracy < problem.accuracyFloor ? [floorOf(problem, check.accuracy)] : [];
  return `together these would: ${[...late, ...loose, ...over].join(' and ')}`;
}

/** A floor of the bundle's measure, with its article. */
function floorOf({ manifest }: PlanningProblem, floor: number): string {
  const word = figureWord(manifest.accuracy);
  return `${/^[aeioAR]/.test(word) ? 'an' : 'a'} ${word} floor of ${floor.toFixed(3)}`;
}
