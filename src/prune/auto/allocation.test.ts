// A budget of operations is shared by measurement where a network has recurrent layers, and only there.
import { describe, expect, it } from 'vitest';
import { findGroups, type Grouping, type KeptUnits } from '../../channels/index.ts';
import { macsCounter } from '../../channels/internal.ts';
import { type Constant, canonicalModel, type Model } from '../../onnx/index.ts';
import { lastStepNet } from '../../onnx/test-support/recurrent-nets.ts';
import { plantedCriterion, plantedNet, plantedSamples } from '../../pack/test-support/planted.ts';
import { samplesFor } from '../../repair/test-support/nets.ts';
import { must } from '../../util/index.ts';
import { findCriterion } from '../criteria.ts';
import { rankModel } from '../prune-model.ts';
import { allocate, canAllocate, sharesOf } from './allocation.ts';
import { rankAuto } from './auto.ts';
import { RepairedTrials } from './repaired-trials.ts';

const BUDGET = { macsFraction: 0.6 } as const;

/** All channels of the convolution are copies of the first, so that only hidden units are worth something. */
function redundant(): Model {
  const model = canonicalModel(lastStepNet('LSTM'));
  const conv = must(
    model.graph.nodes.find(({ name }) => name === 'conv'),
    'conv',
  );
  for (const input of conv.inputs.slice(1)) {
    const data = floatsOf(must(model.graph.constants.get(input), 'weights'));
    const row = data.length / 6;
    for (let channel = 1; channel < 6; channel++) data.copyWithin(channel * row, 0, row);
  }
  return model;
}

function floatsOf(constant: Constant): Float32Array {
  if (constant.type !== 'float32') throw new Error(`weights of ${constant.type}`);
  return constant.data;
}

describe('allocate', () => {
  const model = redundant();
  const calibration = samplesFor(model, 24);
  const options = { name: 'net', calibration, block: 1, seed: 1 };
  const count = macsCounter(model, findGroups(model));
  const share = (keep: KeptUnits): number => count(keep) / count(new Map());

  it('takes from convolutions what they do not need, within the budget', async () => {
    const ranking = await rankModel(model, { ...options, criterion: findCriterion('obs') });
    const uniform = await ranking.prune(BUDGET);
    const allocation = must(await allocate(model, ranking, BUDGET, options), 'an allocation');
    const { keep } = await ranking.prune(BUDGET, sharesOf(allocation));
    const kept = (of: KeptUnits, id: number): number => must(of.get(id), 'a group').length;
    expect(kept(keep, 0)).toBeLessThan(kept(uniform.keep, 0));
    expect(kept(keep, 1)).toBeGreaterThan(kept(uniform.keep, 1));
    expect(share(keep)).toBeLessThanOrEqual(BUDGET.macsFraction);
    // Both distances are those of the networks themselves.
    const distance = async (of: KeptUnits): Promise<number> => {
      let sum = 0;
      for (const swapped of [false, true]) {
        const trials = await RepairedTrials.open(model, { ...options, repair: {}, swapped });
        sum += (await trials.measure(ranking, of)).distance / 2;
      }
      return sum;
    };
    expect(allocation.distance).toBeCloseTo(await distance(keep), 12);
    expect(allocation.uniform).toBeCloseTo(await distance(uniform.keep), 12);
    expect(allocation.distance).toBeLessThan(allocation.uniform);
  });

  it('is what auto cuts by, and repeats by its seed', async () => {
    const criterion = {
      name: 'auto' as const,
      candidates: [],
      repaired: [findCriterion('obs'), findCriterion('l2')],
    };
    const prune = () => rankAuto(model, { ...options, criterion, repaired: true }).prune(BUDGET);
    const { choice, keep } = await prune();
    const allocation = must(choice.allocation, 'an allocation');
    expect(choice.samples).toBe(calibration.size);
    const [{ id, share: own }] = allocation.groups as [{ id: number; share: number }];
    expect(keep.get(id)).toHaveLength(Math.round(own * 6));
    expect((await prune()).choice).toEqual(choice);
    // The closest one is taken, even by little.
    const [first, second] = choice.candidates;
    expect(first?.criterion).toBe(choice.criterion.name);
    expect(first?.difference).toBeLessThanOrEqual(second?.difference ?? 0);
  });

  it('leaves other amounts and networks alone', async () => {
    const grouping: Grouping = findGroups(model);
    expect(canAllocate(grouping, BUDGET, {})).toBe(true);
    expect(canAllocate(grouping, { ratio: 0.5 }, {})).toBe(false);
    expect(canAllocate(grouping, BUDGET, { global: true })).toBe(false);
    expect(canAllocate(grouping, BUDGET, { steps: 2 })).toBe(false);
    expect(canAllocate(findGroups(plantedNet()), BUDGET, {})).toBe(false);
    const good = plantedCriterion('good');
    const { choice } = await rankAuto(plantedNet(), {
      ...options,
      calibration: plantedSamples(24, 3),
      criterion: { name: 'auto', candidates: [], repaired: [good] },
      repaired: true,
    }).prune(BUDGET);
    expect(choice.allocation).toBeUndefined();
  });
});
