// The choice of a criterion where the cut network is repaired: the planted winner, and when there is too little to choose by.
import { describe, expect, it } from 'vitest';
import { Net } from '../../channels/test-support/net.ts';
import type { Criterion } from '../../explain/index.ts';
import { canonicalModel, modelCosts } from '../../onnx/index.ts';
import { plantedCriterion, plantedNet, plantedSamples } from '../../pack/test-support/planted.ts';
import { BedsideError } from '../../util/index.ts';
import { rankAuto } from './auto.ts';
import { chooseRepaired, closestFirst, type RepairedChoiceOptions } from './auto-repaired.ts';

const model = plantedNet();
const GOOD = plantedCriterion('good');
const BAD = plantedCriterion('bad', -1);
const failing = (code: 'E_UNSUPPORTED' | 'E_CRITERION' | 'E_DATA'): Criterion => ({
  ...BAD,
  name: 'broken',
  score: () => Promise.reject(new BedsideError(code, 'no rule for Magic')),
});
const AMOUNT = { ratio: 0.75 } as const;

function choose(candidates: readonly Criterion[], options: Partial<RepairedChoiceOptions> = {}) {
  const calibration = plantedSamples(24, 3);
  return chooseRepaired(
    model,
    { name: 'net', block: 1, seed: 2, calibration, candidates, ...options },
    AMOUNT,
  );
}

describe('chooseRepaired', () => {
  it.each([true, false])('finds the planted winner, whichever comes first (labels %s)', async (labelled) => {
    for (const candidates of [
      [BAD, GOOD],
      [GOOD, BAD],
    ]) {
      const choice = await choose(candidates, { calibration: plantedSamples(24, 3, labelled) });
      expect(choice.criterion).toBe(GOOD);
      expect(choice).toMatchObject({ measure: 'agreement', samples: 12, halved: true, skipped: [] });
      const [first, second] = choice.candidates;
      expect([first?.criterion, second?.criterion]).toEqual(['good', 'bad']);
      expect(first?.difference).toBeLessThan(0.5 * (second?.difference ?? 0));
      expect(first?.measure).toBeGreaterThan(second?.measure ?? 1);
      expect(choice.reason).toMatch(/cut and repaired .* before bad with/);
    }
  });

  it('takes the first of candidates that keep the same', async () => {
    const twin = { ...plantedCriterion('twin') };
    const choice = await choose([twin, GOOD, BAD]);
    expect(choice.criterion.name).toBe('twin');
    const [first, second] = choice.candidates;
    expect(second).toEqual({ ...first, criterion: 'good' });
  });

  it('takes the first where samples are too few, without asking it', async () => {
    const choice = await choose([failing('E_UNSUPPORTED'), GOOD], { calibration: plantedSamples(5, 3) });
    expect(choice).toMatchObject({ halved: false, samples: 5, candidates: [] });
    expect(choice.criterion.name).toBe('broken');
    expect(choice.reason).toContain('too few samples');
    expect((await choose([BAD, GOOD], { calibration: plantedSamples(6, 3) })).halved).toBe(true);
  });

  it('takes the first where repairs of all would take too long, without asking it', async () => {
    const net = new Net([3, 256, 256]);
    const convolutions = net.conv('a', net.relu(net.conv('b', net.input, 3, 64)), 64, 64);
    const large = canonicalModel(net.head(net.relu(convolutions), 64));
    const size = Math.ceil(1e11 / modelCosts(large).macs);
    const samples = new Float32Array(size * 3 * 256 * 256);
    const calibration = { ...plantedSamples(size, 3), sampleShape: [3, 256, 256], samples };
    const candidates = [failing('E_DATA'), GOOD];
    const options = { name: 'large', block: 1, seed: 2, calibration, candidates };
    const choice = await chooseRepaired(large, options, AMOUNT);
    expect(choice).toMatchObject({ criterion: { name: 'broken' }, halved: false, candidates: [] });
    expect(choice.reason).toMatch(/one pass over \d+ samples takes 10\d(\.\d)? G mult/);
  });

  it.each(['E_UNSUPPORTED', 'E_CRITERION'] as const)(
    'leaves out candidates that do not work here: %s',
    async (code) => {
      const choice = await choose([failing(code), BAD, GOOD]);
      expect(choice.criterion).toBe(GOOD);
      expect(choice.skipped).toEqual([{ criterion: 'broken', reason: 'no rule for Magic' }]);
      expect(choice.candidates).toHaveLength(2);
    },
  );

  it('fails when none works, or for another reason', async () => {
    await expect(choose([failing('E_UNSUPPORTED')])).rejects.toMatchObject({
      code: 'E_UNSUPPORTED',
      message: expect.stringContaining('Magic'),
    });
    await expect(choose([failing('E_DATA'), GOOD])).rejects.toMatchObject({ code: 'E_DATA' });
  });

  it('repeats by its seed, and says where it is', async () => {
    const steps: string[] = [];
    const onStep = (step: string, done: number, total: number): void => {
      steps.push(`${step} ${done}/${total}`);
    };
    const first = await choose([BAD, GOOD], { onStep });
    expect(await choose([BAD, GOOD])).toEqual(first);
    expect(steps).toEqual(['choosing: bad, repaired 0/2', 'choosing: good, repaired 1/2']);
  });

  it('chooses on networks that fix their batch', async () => {
    const fixed = plantedNet();
    for (const value of [...fixed.graph.inputs, ...fixed.graph.outputs]) value.dims = value.dims?.with(0, 4);
    const options = { name: 'net', block: 1, seed: 2, candidates: [BAD, GOOD] };
    const choice = await chooseRepaired(fixed, { ...options, calibration: plantedSamples(24, 3) }, AMOUNT);
    expect(choice.criterion).toBe(GOOD);
    const few = await chooseRepaired(fixed, { ...options, calibration: plantedSamples(7, 3) }, AMOUNT);
    expect(few.halved).toBe(false);
  });
});

describe('inOrder', () => {
  const results = (good: number, bad: number) => [
    { criterion: GOOD, distance: good },
    { criterion: BAD, distance: bad },
  ];

  it('takes another than the usual candidate only where it is clearly nearer', () => {
    expect(closestFirst(results(1.1, 1), GOOD)[0]?.criterion).toBe(GOOD);
    expect(closestFirst(results(1.3, 1), GOOD)[0]?.criterion).toBe(BAD);
    expect(closestFirst(results(1, 1.1), BAD)[0]?.criterion).toBe(BAD);
    expect(closestFirst(results(0, 1), BAD)[0]?.criterion).toBe(GOOD);
    expect(closestFirst(results(1, 2), undefined)[0]?.criterion).toBe(GOOD);
  });
});

describe('rankAuto where the network is repaired', () => {
  it('chooses among the candidates for that', async () => {
    const ranking = rankAuto(model, {
      name: 'net',
      block: 1,
      seed: 2,
      calibration: plantedSamples(24, 3),
      criterion: { name: 'auto', candidates: [BAD], repaired: [BAD, GOOD] },
      repaired: true,
    });
    const { choice, keep } = await ranking.prune(AMOUNT);
    expect(choice.criterion).toBe(GOOD);
    expect(keep.get(0)).toEqual([4, 7, 11]);
  });
});
