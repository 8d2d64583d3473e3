import { describe, expect, it } from 'vitest';
import { stageCosts } from '../../bundle/index.ts';
import { must } from '../../util/index.ts';
import { completeRequest, type RequestInput } from '../input/request.ts';
import { fleetOfDevices } from '../test-support/fleets.ts';
import { chainManifest, manifestOf, residualManifest } from '../test-support/manifests.ts';
import { buildProblem, choiceAt } from './build-instance.ts';

const request = (input: RequestInput = {}) => completeRequest(input, { deadline: 1, privacy: 'open' });
const devices = [{}, { macsPerSecond: 1e9 }, { macsPerSecond: 4e9, trusted: false }];

describe('the instance of a bundle, a fleet and a request', () => {
  it('has the costs of the bundle at every allowed choice', () => {
    const manifest = residualManifest({ secondsPerMac: 1e-9 });
    const { instance, space } = buildProblem(manifest, fleetOfDevices([{ speed: 2 }, ...devices]), request());
    expect(instance.stages.map(({ levelsIn, inner, levelsOut }) => [levelsIn, inner, levelsOut])).toEqual([
      [1, 1, 4],
      [4, 4, 4],
      [4, 4, 4],
      [4, 1, 1],
    ]);
    let checked = 0;
    instance.stages.forEach((stage, l) => {
      stage.allowed.forEach((allowed, index) => {
        const choice = choiceAt(stage, index);
        expect(index).toBe((choice.in * stage.inner + choice.inner) * stage.levelsOut + choice.out);
        const levels = space.levels(l, choice);
        expect(allowed).toBe(levels ? 1 : 0);
        if (!levels) return;
        checked++;
        const vector = manifest.groups.map(({ id }) => levels.get(id) ?? 0);
        const costs = stageCosts(manifest, l, vector);
        expect(stage.macs[index]).toBe(costs.macs);
        expect(stage.weightBytes[index]).toBe(costs.weightBytes);
        expect(stage.activationBytes[index]).toBe(costs.activationBytes);
        expect(stage.outputBytes[choice.out]).toBe(costs.outputBytes);
        expect(instance.devices[0]?.seconds?.[l]?.[index]).toBe(must(costs.seconds, 'seconds') / 2);
        expect(instance.devices[1]?.seconds?.[l]).toBeUndefined();
      });
    });
    expect(checked).toBe(4 + 16 + 16 + 4);
  });

  it('goes by seconds measured on the device before anything else, between levels in proportion to MACs', () => {
    const manifest = chainManifest(3, { secondsPerMac: 1e-9 });
    const measured = [
      [1, 0.8, 0.6, 0.4],
      [4, 3, 2, 1],
      [1, 1, 1, 1],
    ];
    const fleet = fleetOfDevices([{ speed: 3, seconds: { sketch: measured } }]);
    const { instance } = buildProblem(manifest, fleet, request());
    const [stage] = instance.stages.slice(1);
    const at = (before: number, out: number) => instance.devices[0]?.seconds?.[1]?.[before * 4 + out];
    expect([at(0, 0), at(1, 1), at(2, 2), at(3, 3)]).toEqual([4, 3, 2, 1]);
    // MACs at levels 0 and 1 lie half way between those at 0, 0 and 1, 1: (1 + 0.5625) / 2 against 0.75.
    const macs = (before: number, out: number) => stage?.macs[before * 4 + out] ?? 0;
    const part = (macs(0, 1) - macs(1, 1)) / (macs(0, 0) - macs(1, 1));
    expect(at(0, 1)).toBeCloseTo(3 + part, 12);
  });

  it('starts on the source alone, and keeps untrusted devices from what they may not see', () => {
    const manifest = chainManifest(5);
    const fleet = fleetOfDevices([...devices, { trusted: false }]);
    const sets = (input: RequestInput) =>
      buildProblem(manifest, fleet, request(input)).instance.stages.map((stage) => stage.sets);
    const open = sets({});
    expect(open[0]).toEqual([[0]]);
    expect(open[1]).toContainEqual([0, 1, 2, 3]);
    expect(open[4]).toEqual([[0], [1], [2], [3]]);
    for (const stage of sets({ privacy: 'strict' })) {
      expect(stage.every((set) => set.every((device) => device < 2))).toBe(true);
    }
    // Of stage 2 an untrusted device may make half, since it may see all of stage 1; nobody unknown reads stage 2.
    const shares = sets({ maxSeen: [0, 1, 0.5, 1, 1] });
    expect(shares[1]?.flat()).not.toContain(2);
    expect(shares[2]).toContainEqual([1, 2]);
    expect(shares[2]).not.toContainEqual([2]);
    expect(shares[3]?.flat()).not.toContain(2);
    expect(shares[4]).toContainEqual([2]);
  });

  it('counts a partial sum as the whole output', () => {
    const manifest = residualManifest();
    const fleet = fleetOfDevices(devices);
    const { instance } = buildProblem(manifest, fleet, request({ maxSeen: [1, 0.5, 1, 1] }));
    expect(instance.stages[1]?.sets).toContainEqual([0, 1]);
    expect(instance.stages[1]?.sets.flat()).not.toContain(2);
  });

  it('splits no stage into more parts than it has channels', () => {
    const manifest = manifestOf(
      [
        { layers: [{ gives: 0, outputs: 8 }] },
        { layers: [{ reads: 0, gives: 1, inputs: 8, outputs: 8 }], split: 'outputs' },
        { layers: [{ reads: 1, inputs: 8 }] },
      ],
      [8, 8],
      { ratios: [0, 0.75] },
    );
    const { instance } = buildProblem(manifest, fleetOfDevices([{}, {}, {}, {}]), request());
    expect(Math.max(...(instance.stages[1]?.sets.map((set) => set.length) ?? []))).toBe(2);
  });

  it('weighs time and energy in what the unpruned network takes on the source', () => {
    const manifest = chainManifest(3);
    const macs = manifest.layers.reduce((sum, layer) => sum + layer.macs, 0);
    const { weights } = buildProblem(manifest, fleetOfDevices(devices), request()).instance;
    expect(weights.time * (macs / 1e8)).toBeCloseTo(1, 9);
    expect(weights.energy * (macs * 1e-9)).toBeCloseTo(0.25, 9);
    const unit = request({ weights: { time: 2, energy: 3, accuracy: 4, per: 'unit' } });
    expect(buildProblem(manifest, fleetOfDevices(devices), unit).instance.weights).toEqual({
      time: 2,
      energy: 3,
      accuracy: 4,
    });
  });

  it('takes the floor from the request, or below the unpruned network', () => {
    const manifest = chainManifest(3);
    const fleet = fleetOfDevices(devices);
    expect(buildProblem(manifest, fleet, request({ accuracyFloor: 0.87 })).instance.accuracyFloor).toBe(0.87);
    expect(buildProblem(manifest, fleet, request({ accuracyDrop: 0.05 })).accuracyFloor).toBeCloseTo(
      0.85,
      12,
    );
    // A floor of 0 allows everything, with a grid that is still finite.
    const { instance } = buildProblem(manifest, fleet, request({ accuracyFloor: 0 }));
    const most = instance.stages.reduce((sum, { loss }) => sum + Math.max(...loss), 0);
    const steps = Math.log(instance.unprunedAccuracy / instance.accuracyFloor) / instance.lossUnit;
    expect(steps).toBeLessThan(100);
    const rounded = instance.stages.reduce(
      (sum, { loss }) => sum + Math.ceil(Math.max(...loss) / instance.lossUnit),
      0,
    );
    expect(steps).toBeGreaterThanOrEqual(rounded - 1e-6);
    expect(most).toBeGreaterThan(0);
  });

  it('with certified levels has only variants above the floor', () => {
    const manifest = chainManifest(4);
    const floor = must(manifest.variants[2], 'variant').accuracy;
    const certified = request({ levels: 'certified', accuracyFloor: floor });
    const { instance } = buildProblem(manifest, fleetOfDevices(devices), certified);
    expect(instance.stages.map(({ levelsOut }) => levelsOut)).toEqual([3, 3, 3, 1]);
    // Rounding up must not exclude the variant that is exactly at the floor.
    const steps = Math.floor(
      Math.log(instance.unprunedAccuracy / instance.accuracyFloor) / instance.lossUnit + 1e-9,
    );
    const worst = Math.max(...(instance.stages[0]?.loss ?? []));
    expect(Math.ceil(worst / instance.lossUnit)).toBeLessThanOrEqual(steps);
  });
});

describe('what does not fit', () => {
  const manifest = chainManifest(3);
  it('a wrong number of shares', () => {
    expect(() => buildProblem(manifest, fleetOfDevices(devices), request({ maxSeen: [1, 1] }))).toThrow(
      /maxSeen has 2 shares, but bundle 'sketch' has 3 stages/,
    );
  });

  it('seconds of another bundle of the name', () => {
    const wrong = (seconds: number[][]) => () =>
      buildProblem(manifest, fleetOfDevices([{ seconds: { sketch: seconds } }]), request());
    expect(wrong([[1, 1, 1, 1]])).toThrow(/device 'd0' for bundle 'sketch': 1 stages, not 3/);
    expect(wrong([[1, 1, 1, 1], [1], [1, 1, 1, 1]])).toThrow(/1 levels for stage 1, not 4/);
  });

  it('a bundle without costs', () => {
    const without = {
      ...manifest,
      layers: manifest.layers.map((layer) => ({ ...layer, macs: layer.stage === 1 ? 0 : layer.macs })),
    };
    expect(() => buildProblem(without, fleetOfDevices(devices), request())).toThrow(
      /no multiply-accumulates for stage 1/,
    );
  });
});
