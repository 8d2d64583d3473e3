// What the page Policy shows and sets. Whatever changes how requests are answered needs the role admin, and is audited.
import { type FleetEdit, type Forecast, SOLVERS, type SolverName } from '../../app/index.ts';
import { findVariant, measureTerm } from '../../bundle/internal.ts';
import type { PlanView } from '../../plan/index.ts';
import { devicesOf } from '../../run/internal.ts';
import { BedsideError } from '../../util/index.ts';
import { isRecord } from '../../util/internal.ts';
import { COMPARE_SECONDS, EXACT_SECONDS, type PolicyDesk } from '../service/policy-desk.ts';
import { type AddRoutes, objectOf, sendValue } from './api.ts';
import type { PlanSummary, PolicyInfo } from './wire-policy.ts';

interface ModelPath {
  Params: { name: string };
}

/** Bytes of what is sent here, and entries of a what-if. */
const MOST_BYTES = 65_536;
const MOST_EDITS = 512;

/**
 * `GET /api/models/NAME/policy`; `POST …/freeze` with `{"scope": "levels"}` and `…/unfreeze`; `PUT …/floor` with
 * `{"floor": 0.9}`; `POST …/what-if`.
 */
export const addPolicyRoutes: AddRoutes = (app, { desks }) => {
  const base = '/api/models/:name/policy';
  const desk = ({ name }: { name: string }): PolicyDesk => {
    const found = desks.get(name);
    if (found) return found;
    throw new BedsideError('E_NOT_FOUND', `there is no model '${name.slice(0, 100)}'`);
  };
  const [look, set] = [
    { config: { role: 'metrics' as const }, bodyLimit: MOST_BYTES },
    { config: { role: 'admin' as const }, bodyLimit: MOST_BYTES },
  ];
  app.get<ModelPath>(base, look, ({ params }, reply) => sendValue(reply, infoOf(desk(params))));
  app.post<ModelPath>(`${base}/freeze`, set, async (request, reply) => {
    const { scope } = objectOf(request);
    if (scope !== 'plan' && scope !== 'levels') throw wrong('scope', '"plan" or "levels"');
    const own = desk(request.params);
    await own.freeze(request.caller.name, scope);
    return sendValue(reply, infoOf(own));
  });
  app.post<ModelPath>(`${base}/unfreeze`, set, async (request, reply) => {
    const own = desk(request.params);
    await own.unfreeze(request.caller.name);
    return sendValue(reply, infoOf(own));
  });
  app.put<ModelPath>(`${base}/floor`, set, async (request, reply) => {
    const { floor } = objectOf(request);
    const value = floor === null ? undefined : numberIn(floor, 'floor', 0, 1);
    const own = desk(request.params);
    await own.setFloor(request.caller.name, value);
    return sendValue(reply, infoOf(own));
  });
  app.post<ModelPath>(`${base}/what-if`, look, async (request, reply) => {
    const own = desk(request.params);
    const body = objectOf(request);
    const solver = solverOf(body.solver ?? own.model.deployment.basis.solver);
    const limits = {
      ...(body.accuracyFloor === undefined
        ? {}
        : { accuracyFloor: numberIn(body.accuracyFloor, 'accuracyFloor', 0, 1) }),
      ...(body.deadline === undefined ? {} : { deadline: numberIn(body.deadline, 'deadline', 1e-6, 86_400) }),
    };
    const { now, changed } = await own.whatIf(editOf(body), limits, solver);
    return sendValue(reply, { solver, now: forecastSummary(now), changed: forecastSummary(changed) });
  });
};

function infoOf({ model, points, frozenBy, floorBy }: PolicyDesk): PolicyInfo {
  const { deployment, bundle, name } = model;
  const { manifest } = bundle;
  const { solver, request, levels } = deployment.basis;
  const { frozen, fleet, plan, lost } = deployment;
  const floorOf = (floor: number | undefined): number =>
    floor ?? Math.max(0, manifest.accuracy.unpruned - request.accuracyDrop);
  return {
    model: name,
    solver,
    measure: measureTerm(manifest.accuracy),
    unpruned: manifest.accuracy.unpruned,
    accuracies: [...new Set(manifest.variants.map(({ accuracy }) => accuracy))].sort((a, b) => a - b),
    floor: {
      now: floorOf(request.accuracyFloor),
      atStart: floorOf(deployment.floorAtStart),
      ...floorBy,
    },
    deadline: request.deadline,
    givenLevels: levels ?? null,
    frozen: frozen && frozenBy ? { scope: frozen.scope, ...frozenBy } : null,
    plan: plan && 'objective' in plan ? planSummary(plan as PlanView, manifest.variants) : null,
    fleet: {
      source: fleet.devices[fleet.source]?.name ?? '',
      devices: fleet.devices.map(({ name: device, macsPerSecond, memory, trusted }) => ({
        ...{ name: device, macsPerSecond, memory, trusted },
        lost: lost.includes(device),
      })),
      bandwidth: fleet.bandwidth.map((row) => row.map((rate) => (Number.isFinite(rate) ? rate : null))),
    },
    points,
    every: COMPARE_SECONDS,
    exactSeconds: EXACT_SECONDS,
    solvers: SOLVERS,
  };
}

function planSummary(plan: PlanView, variants: Parameters<typeof findVariant>[0]['variants']): PlanSummary {
  const { objective, latency, energy, accuracy, levels, stages } = plan;
  return {
    ...{ objective, latency, energy, accuracy, levels, devices: devicesOf(plan) },
    variant: findVariant({ variants }, levels) ?? null,
    runs: runsOf(
      stages.map(({ index, segments }) => ({ index, devices: segments.map(({ device }) => device) })),
    ),
  };
}

function forecastSummary({ stages, ...forecast }: Forecast): PlanSummary {
  return { ...forecast, runs: runsOf(stages) };
}

/** Neighbouring stages on the same devices as one. */
function runsOf(
  stages: readonly { readonly index: number; readonly devices: readonly string[] }[],
): PlanSummary['runs'] {
  const runs: { first: number; last: number; devices: readonly string[] }[] = [];
  for (const { index, devices } of stages) {
    const last = runs.at(-1);
    if (last && last.devices.join('\n') === devices.join('\n')) last.last = index;
    else runs.push({ first: index, last: index, devices });
  }
  return runs;
}

/** @throws BedsideError E_REQUEST, naming the field */
function editOf({ devices = [], links = [] }: Readonly<Record<string, unknown>>): FleetEdit {
  return {
    devices: listOf(devices, 'devices').map((entry, i) => {
      const at = `devices[${i}]`;
      const { name, speed, memory, away = false } = entry;
      if (typeof away !== 'boolean') throw wrong(`${at}.away`, 'true or false');
      return {
        name: textOf(name, `${at}.name`),
        ...(speed === undefined ? {} : { speed: numberIn(speed, `${at}.speed`, 1e-4, 1e4) }),
        ...(memory === undefined ? {} : { memory: numberIn(memory, `${at}.memory`, 0, 1e15) }),
        away,
      };
    }),
    links: listOf(links, 'links').map((entry, i) => ({
      from: textOf(entry.from, `links[${i}].from`),
      to: textOf(entry.to, `links[${i}].to`),
      bytesPerSecond: numberIn(entry.bytesPerSecond, `links[${i}].bytesPerSecond`, 0, 1e13),
    })),
  };
}

function listOf(value: unknown, name: string): Readonly<Record<string, unknown>>[] {
  if (Array.isArray(value) && value.length <= MOST_EDITS && value.every(isRecord)) return value;
  throw wrong(name, `a list of at most ${MOST_EDITS} objects`);
}

function textOf(value: unknown, name: string): string {
  if (typeof value === 'string' && value.length <= 256) return value;
  throw wrong(name, 'a name');
}

function numberIn(value: unknown, name: string, least: number, most: number): number {
  if (typeof value === 'number' && value >= least && value <= most) return value;
  throw wrong(name, `a number from ${least} to ${most}`);
}

function solverOf(value: unknown): SolverName {
  const solver = SOLVERS.find((name) => name === value);
  if (solver === undefined) throw wrong('solver', `one of ${SOLVERS.join(', ')}`);
  return solver;
}

function wrong(name: string, expected: string): BedsideError {
  return new BedsideError('E_REQUEST', `\`${name}\` is not ${expected}`);
}
