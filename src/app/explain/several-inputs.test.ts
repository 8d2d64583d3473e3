// Relevance and heatmaps of a network of several inputs: each input by its name, and indices stand for what they chose.
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../data/index.ts';
import { isAttribution } from '../../explain/index.ts';
import { floatConstant, GraphBuilder, int } from '../../onnx/internal.ts';
import { findCriterion } from '../../prune/index.ts';
import { drawAll, pictureKind } from '../../report/index.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { loadNetwork, type Network } from '../network/network.ts';
import { explainedSamples } from './explained-samples.ts';

const CLASSES = 3;

/** An image, two numbers and an index into a table, joined, with a hidden layer and no bias. */
async function network(): Promise<Network> {
  const random = new Random(4);
  const builder = new GraphBuilder();
  const weights = (...dims: readonly number[]) => {
    const size = dims.reduce((product, axis) => product * axis, 1);
    const data = Float32Array.from({ length: size }, () => random.normal());
    return builder.constant(floatConstant(data, dims), 'w');
  };
  const image = builder.input('image', ['batch', 1, 4, 4]);
  const age = builder.input('age', ['batch', 2]);
  const site = builder.input('site', ['batch'], 7);
  const chosen = builder.node('Gather', [weights(3, 4), site]);
  const joined = builder.node('Concat', [builder.node('Flatten', [image]), age, chosen], { axis: int(1) });
  const hidden = builder.node('Relu', [builder.node('MatMul', [joined, weights(22, 8)])]);
  builder.output(builder.node('MatMul', [hidden, weights(8, CLASSES)], {}, 'scores'), ['batch', CLASSES]);
  return await loadNetwork(builder.model(), { name: 'net' });
}

function dataset(size: number): Dataset {
  const random = new Random(5);
  return {
    kind: 'npz',
    name: 'numbers',
    size,
    sampleShape: [19],
    samples: Float32Array.from({ length: size * 19 }, (_, i) =>
      i % 19 === 18 ? random.integer(3) : random.normal(),
    ),
    labels: Int32Array.from({ length: size }, (_, i) => i % CLASSES),
    classNames: ['a', 'b', 'c'],
    origins: undefined,
    skipped: [],
    hash: '',
  };
}

async function explained(name: string) {
  const criterion = findCriterion(name);
  if (!isAttribution(criterion)) throw new Error(name);
  const request = { criterion, target: 'label', perClass: 2, batch: 4, threads: 1, seed: 1 } as const;
  return await explainedSamples(await network(), dataset(12), request);
}

const sum = (values: Float32Array): number => values.reduce((total, value) => total + value, 0);

describe('a network of several inputs', () => {
  it('has relevance at the index for the entries of the table that it chose, and keeps its sum', async () => {
    const found = await explained('lrp-epsilon');
    expect(found).toHaveLength(6);
    for (const { relevance } of found) {
      // It starts from 1, and without a bias only the stabiliser takes a little.
      expect(sum(relevance)).toBeCloseTo(1, 4);
      expect(Math.abs(relevance[18] as number)).toBeGreaterThan(0);
    }
  });

  it('has no gradient at an index', async () => {
    for (const name of ['taylor', 'integrated-gradients', 'deeplift-rescale']) {
      for (const { relevance } of await explained(name)) {
        expect(relevance[18]).toBe(0);
        expect(relevance.subarray(0, 18).some((value) => value !== 0)).toBe(true);
      }
    }
  });

  it('is drawn input by input, with their names and shares', async () => {
    const { classifier } = await network();
    const kind = pictureKind(classifier.sampleShape, 'net', classifier.inputs);
    const [first] = await drawAll((await explained('lrp-epsilon')).slice(0, 1), kind, 12);
    const { svg } = must(first, 'a picture');
    for (const name of ['image', 'age', 'site']) {
      expect(svg).toMatch(new RegExp(`>${name}<tspan[^>]*>\\d+ % of absolute relevance`));
    }
    expect(svg.match(/>value \d</g)).toEqual(['>value 1<', '>value 2<', '>value 1<']);
    expect(svg.match(/<image /g)).toHaveLength(3);
  });
});
