// Which samples are explained and how: on a linear network, where gradient x input is weight x input.
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../data/index.ts';
import { describeClassifier } from '../../evaluate/internal.ts';
import { isAttribution } from '../../explain/index.ts';
import { canonicalModel, type Model, modelCosts } from '../../onnx/index.ts';
import { floatConstant, GraphBuilder, int } from '../../onnx/internal.ts';
import { CRITERIA, findCriterion } from '../../prune/index.ts';
import { BedsideError } from '../../util/index.ts';
import { Random, softmax } from '../../util/internal.ts';
import type { Network } from '../network/network.ts';
import { explainedSamples, meaningOf, type SampleRequest } from './explained-samples.ts';

const LENGTH = 6;
const CLASSES = 3;
const random = new Random(3);
const WEIGHTS = Float32Array.from({ length: CLASSES * LENGTH }, () => random.normal());

describe('explainedSamples', () => {
  it('explains down to the input, signed, with the softmax of the scores', async () => {
    const data = dataset(9, true);
    const found = await explainedSamples(loaded(linear()), data, request('taylor', { perClass: 2 }));
    expect(found).toHaveLength(6);
    for (const { index, target, label, sample, relevance, probabilities } of found) {
      expect(label).toBe(index % CLASSES);
      expect(target).toBe(label);
      expect(sample).toEqual(data.samples.subarray(index * LENGTH, (index + 1) * LENGTH));
      relevance.forEach((value, i) => {
        expect(value).toBeCloseTo((WEIGHTS[target * LENGTH + i] as number) * (sample[i] as number), 5);
      });
      expect(Array.from(probabilities)).toEqual(close(softmax(scores(sample))));
    }
  });

  it('fills up a fixed batch, and shows no sample twice', async () => {
    const data = dataset(9, true);
    const free = await explainedSamples(loaded(linear()), data, request('taylor', { perClass: 1 }));
    const fixed = await explainedSamples(
      loaded(linear({ batch: 4 })),
      data,
      request('taylor', { perClass: 1 }),
    );
    expect(fixed.map(({ index }) => index)).toEqual(free.map(({ index }) => index));
    fixed.forEach(({ relevance }, i) => {
      expect(Array.from(relevance)).toEqual(close(free[i]?.relevance ?? []));
    });
  });

  it('takes probabilities as they are from a model that ends in Softmax', async () => {
    const [first] = await explainedSamples(
      loaded(linear({ last: 'Softmax' })),
      dataset(3, true),
      request('taylor', { perClass: 1 }),
    );
    expect(Array.from(first?.probabilities ?? [])).toEqual(close(softmax(scores(first?.sample ?? []))));
  });

  it('chooses by the predicted class where there are no labels', async () => {
    const data = dataset(30, false);
    const found = await explainedSamples(
      loaded(linear()),
      data,
      request('taylor', { perClass: 2, target: 'predicted' }),
    );
    const answers = found.map(({ sample }) => {
      const all = scores(sample);
      return all.indexOf(Math.max(...all));
    });
    expect(found.map(({ target }) => target)).toEqual(answers);
    for (const answer of new Set(answers)) {
      expect(answers.filter((other) => other === answer).length).toBeLessThanOrEqual(2);
    }
    expect(found.every(({ label }) => label === undefined)).toBe(true);
  });

  it('repeats exactly with the same seed', async () => {
    const draw = async (seed: number) =>
      (await explainedSamples(loaded(linear()), dataset(60, true), request('taylor', { seed }))).map(
        ({ index }) => index,
      );
    expect(await draw(1)).toEqual(await draw(1));
    expect(await draw(1)).not.toEqual(await draw(2));
  });

  // The gradient of the loss at the input is (p - onehot) W; what speaks for the label is its negative.
  it('turns the gradient of the loss round, so that red speaks for the label', async () => {
    const [first] = await explainedSamples(
      loaded(linear()),
      dataset(3, true),
      request('taylor-squared', { perClass: 1 }),
    );
    const { sample = new Float32Array(LENGTH), relevance = [], label = 0 } = first ?? {};
    const p = softmax(scores(sample));
    const expected = Array.from({ length: LENGTH }, (_, i) =>
      p.reduce(
        (sum, share, k) => sum - (share - Number(k === label)) * (WEIGHTS[k * LENGTH + i] as number),
        0,
      ),
    );
    expect(Array.from(relevance)).toEqual(close(expected));
  });
});

describe('meaningOf', () => {
  it('tells sensitivities from contributions', () => {
    const sensitive = CRITERIA.filter(isAttribution).filter(
      (criterion) => meaningOf(criterion) === 'sensitivity',
    );
    expect(sensitive.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['gradient', 'smoothgrad', 'grad-cam', 'taylor-squared']),
    );
    for (const name of ['lrp-gamma', 'taylor', 'integrated-gradients', 'deeplift-rescale']) {
      expect(sensitive.map((criterion) => criterion.name)).not.toContain(name);
    }
  });
});

function request(name: string, more: Partial<SampleRequest> = {}): SampleRequest {
  const criterion = findCriterion(name);
  if (!isAttribution(criterion)) throw new BedsideError('E_CRITERION', name);
  return { criterion, target: 'label', perClass: 3, batch: 4, threads: 1, seed: 1, ...more };
}

function dataset(size: number, labelled: boolean): Dataset {
  const draws = new Random(5);
  return {
    kind: 'npz',
    name: 'numbers',
    size,
    sampleShape: [1, LENGTH],
    samples: Float32Array.from({ length: size * LENGTH }, () => draws.normal()),
    labels: labelled ? Int32Array.from({ length: size }, (_, i) => i % CLASSES) : undefined,
    classNames: ['a', 'b', 'c'],
    origins: undefined,
    skipped: [],
    hash: '',
  };
}

function linear({ batch, last }: { batch?: number; last?: string } = {}): Model {
  const builder = new GraphBuilder();
  const input = builder.input('x', [batch ?? 'batch', 1, LENGTH]);
  const weight = builder.constant(floatConstant(WEIGHTS, [CLASSES, LENGTH]), 'weight');
  const flat = builder.node('Flatten', [input]);
  const logits = builder.node('Gemm', [flat, weight], { transB: int(1) }, 'scores');
  builder.output(last === undefined ? logits : builder.node(last, [logits]), [batch ?? 'batch', CLASSES]);
  return builder.model();
}

function loaded(model: Model): Network {
  const path = 'linear.onnx';
  const classifier = describeClassifier(model, path);
  return {
    name: path,
    isFile: false,
    original: model,
    canonical: canonicalModel(model),
    unmerged: model,
    classifier,
    costs: modelCosts(model),
    said: { contract: {}, from: {}, notes: [], remarks: [] },
  };
}

function scores(sample: ArrayLike<number>): number[] {
  return Array.from({ length: CLASSES }, (_, k) =>
    Array.from(sample).reduce((sum, value, i) => sum + value * (WEIGHTS[k * LENGTH + i] as number), 0),
  );
}

function close(values: ArrayLike<number>) {
  return Array.from(values, (value) => expect.closeTo(value, 5));
}
