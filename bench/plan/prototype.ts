// The feasibility study's planner, where it stands beside the project: a reference for times. It knows plain instances
// only: products of levels, one list of device sets, everything by outputs.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { PlanningInstance } from '../../src/plan/internal.ts';
import { SHARED } from '../lib/shared.ts';

/** What it says of an instance. */
export interface PrototypeResult {
  readonly objective: number;
  readonly proven: boolean;
}

export type Prototype = (instance: PlanningInstance, seconds: number) => PrototypeResult;

interface Lib {
  build(instance: object, sets: readonly (readonly number[])[]): object;
}

interface Search {
  solve(graph: object, options: { tl: number }): { obj: number; done: boolean };
}

/** The prototype; undefined where it is not at hand. */
export async function loadPrototype(): Promise<Prototype | undefined> {
  const file = (name: string): string => join(SHARED, 'prototype', 'planner', name);
  if (!existsSync(file('lib.mjs'))) return undefined;
  const { build } = (await import(pathToFileURL(file('lib.mjs')).href)) as Lib;
  const { solve } = (await import(pathToFileURL(file('search.mjs')).href)) as Search;
  return (instance, seconds) => {
    const sets = [[instance.source], ...(instance.stages[1]?.sets ?? [])];
    const unique = sets.filter((set, at) => sets.findIndex((other) => other.join() === set.join()) === at);
    const { obj, done } = solve(build(translated(instance), unique), { tl: 1000 * seconds });
    return { objective: obj, proven: done };
  };
}

/** One list of sets for all stages after the first, so that both planners have the same choices. */
export function withOneList(instance: PlanningInstance): PlanningInstance {
  const sets = instance.stages[Math.floor(instance.stages.length / 2)]?.sets ?? [];
  return {
    ...instance,
    stages: instance.stages.map((stage, l) => (l === 0 ? stage : { ...stage, sets })),
  };
}

function translated(instance: PlanningInstance): object {
  const { stages, devices, weights, lossUnit, unprunedAccuracy } = instance;
  const [first] = stages;
  const levels = first?.levelsOut ?? 1;
  const outputs = first?.outputBytes ?? new Float64Array(1);
  const shares = Array.from({ length: levels }, (_, p) => (outputs[p] ?? 0) / (outputs[0] ?? 1));
  const steps = (loss: number): number => Math.ceil(loss / lossUnit - 1e-9);
  return {
    L: stages.length,
    D: devices.length,
    P: levels,
    M: stages.map(({ macs }) => macs[0]),
    W: stages.map(({ weightBytes }) => weightBytes[0]),
    O: stages.map(({ outputBytes }) => outputBytes[0]),
    qs: shares,
    rho: stages.map(({ loss, levelsOut }) =>
      Array.from({ length: levels }, (_, p) => steps(loss[p % levelsOut] ?? 0)),
    ),
    unit: lossUnit,
    A0: unprunedAccuracy,
    Rmax: Math.floor(Math.log(unprunedAccuracy / instance.accuracyFloor) / lossUnit + 1e-9),
    v: devices.map(({ speed }) => speed),
    ec: devices.map(({ joulesPerMac }) => joulesPerMac),
    etx: devices.map(({ joulesPerByteSent }) => joulesPerByteSent),
    erx: devices.map(({ joulesPerByteReceived }) => joulesPerByteReceived),
    trust: devices.map(() => true),
    bw: instance.bandwidth.map((row) => [...row]),
    la: instance.latency.map((row) => [...row]),
    phi: stages.map(() => 1),
    mem: devices.map(({ memory }) => memory),
    en: devices.map(({ energy }) => energy),
    deadline: instance.deadline,
    src: instance.source,
    wt: weights.time,
    we: weights.energy,
    wa: weights.accuracy,
  };
}
