import { describe, expect, it } from 'vitest';
import { must } from '../../util/index.ts';
import { completeRequest, type RequestInput } from '../input/request.ts';
import { buildProblem } from '../problem/build-instance.ts';
import type { PlanningInstance, Solution } from '../problem/instance.ts';
import { solveByEnumeration } from '../test-support/enumerate.ts';
import { type DeviceSketch, fleetOfDevices } from '../test-support/fleets.ts';
import { chainManifest } from '../test-support/manifests.ts';
import { type Diagnosis, diagnose } from './diagnosis.ts';

const manifest = chainManifest(3, { ratios: [0, 0.5], loss: 0.04 });
const solve = (instance: PlanningInstance): Promise<Solution> =>
  Promise.resolve(solveByEnumeration(instance));
const fast: DeviceSketch[] = [{ macsPerSecond: 1e7 }, { name: 'tablet', macsPerSecond: 1e9 }];

/** Checks that every relaxation told makes the problem feasible, and that a little less does not. */
async function diagnosed(devices: readonly DeviceSketch[], input: RequestInput): Promise<Diagnosis> {
  const request = completeRequest(input, { deadline: 1, accuracyDrop: 0.2 });
  const build = (fleet: readonly DeviceSketch[], more: RequestInput = {}) =>
    buildProblem(
      manifest,
      fleetOfDevices(fleet),
      completeRequest(more, input, { deadline: 1, accuracyDrop: 0.2 }),
    ).instance;
  const problem = buildProblem(manifest, fleetOfDevices(devices), request);
  expect(solveByEnumeration(problem.instance).status).toBe('infeasible');
  const diagnosis = await diagnose(problem, solve);
  for (const { constraint, device, from, to } of diagnosis.relaxations) {
    const relaxed = (value: number): PlanningInstance | undefined => {
      if (constraint === 'deadline') return build(devices, { deadline: value });
      if (constraint === 'accuracy') return build(devices, { accuracyFloor: value });
      if (constraint !== 'memory' && constraint !== 'energy') return undefined;
      return build(
        devices.map((other, at) =>
          (other.name ?? `d${at}`) === device ? { ...other, [constraint]: value } : other,
        ),
      );
    };
    const enough = relaxed(to * (constraint === 'accuracy' ? 1 : 1 + 1e-9));
    if (enough) expect([constraint, solveByEnumeration(enough).status]).toEqual([constraint, 'optimal']);
    const less = relaxed(constraint === 'accuracy' ? to + 0.002 : from + (to - from) * 0.98);
    if (less) expect([constraint, solveByEnumeration(less).status]).toEqual([constraint, 'infeasible']);
  }
  return diagnosis;
}

describe('an infeasible request names what binds and the smallest change', () => {
  it('the deadline, where nothing else helps', async () => {
    const { relaxations, text } = await diagnosed([{ macsPerSecond: 1e7 }], {
      deadline: 0.01,
      accuracyDrop: 0.2,
    });
    expect(relaxations.map(({ constraint }) => constraint)).toEqual(['deadline']);
    expect(text).toMatch(/^the deadline of 10\.0 ms is too tight: needs a deadline of /);
  });

  it('memory of one device, or a lower floor', async () => {
    const memory = (bytes: number): DeviceSketch[] => [{ memory: bytes }, { name: 'tablet', memory: 1000 }];
    const { relaxations, text } = await diagnosed(memory(30_000), { accuracyDrop: 0.001 });
    expect(relaxations.map(({ constraint, device }) => [constraint, device])).toEqual(
      expect.arrayContaining([
        ['memory', 'd0'],
        ['accuracy', undefined],
      ]),
    );
    expect(text).toMatch(/more on d0/);
    expect(text).toMatch(/an accuracy floor of 0\.\d{3}/);
  });

  it('energy of a device', async () => {
    const { relaxations } = await diagnosed([{ energy: 1e-5 }], { accuracyDrop: 0 });
    expect(relaxations.some(({ constraint, device }) => constraint === 'energy' && device === 'd0')).toBe(
      true,
    );
  });

  it('trust, and a faster network', async () => {
    const devices: DeviceSketch[] = [{ memory: 40_000 }, { name: 'guest', trusted: false }];
    const { relaxations } = await diagnosed(devices, { accuracyDrop: 0, privacy: 'strict' });
    expect(relaxations.find(({ constraint }) => constraint === 'privacy')).toMatchObject({ device: 'guest' });
    const slow = fleetOfDevices(fast, { bytesPerSecond: 1e5 });
    const problem = buildProblem(manifest, slow, completeRequest({ deadline: 0.05, accuracyDrop: 0 }));
    expect(solveByEnumeration(problem.instance).status).toBe('infeasible');
    const network = must(
      (await diagnose(problem, solve)).relaxations.find(({ constraint }) => constraint === 'network'),
      'a relaxation of the network',
    );
    const at = (factor: number) =>
      solveByEnumeration(
        buildProblem(
          manifest,
          fleetOfDevices(fast, { bytesPerSecond: 1e5 * factor }),
          completeRequest({ deadline: 0.05, accuracyDrop: 0 }),
        ).instance,
      ).status;
    expect([at(network.to), at(1 + (network.to - 1) * 0.97)]).toEqual(['optimal', 'infeasible']);
  });

  it('what there was time for', async () => {
    const request = completeRequest({ deadline: 1e-4, accuracyDrop: 0.2 });
    const problem = buildProblem(manifest, fleetOfDevices(fast), request);
    const { relaxations, text } = await diagnose(problem, solve, () => true);
    expect(relaxations).toEqual([]);
    expect(text).toMatch(
      /^there was no time to try every single change; together these would: a deadline of /,
    );
  });

  it('several at once, where none alone is enough', async () => {
    const { relaxations, text } = await diagnosed([{ memory: 100, energy: 1e-6 }], { deadline: 1e-4 });
    expect(relaxations).toEqual([]);
    expect(text).toMatch(
      /^no single change helps; together these would: a deadline of .* more on d0 and .* more on d0/,
    );
  });
});
