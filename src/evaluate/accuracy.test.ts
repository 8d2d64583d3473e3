// Accuracies against counts by hand, on a model that answers what it reads.
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../data/index.ts';
import type { Model } from '../onnx/index.ts';
import { type Dim, ELEM, GraphBuilder, int, intConstant, ints } from '../onnx/internal.ts';
import { accuracies, evaluateModel } from './accuracy.ts';
import { describeClassifier } from './classifier.ts';
import { agreementOf } from './measures/agreement.ts';

/** Scores are the three numbers of the sample, negated twice. */
function echo(batch: Dim = 'batch'): Model {
  const builder = new GraphBuilder();
  const input = builder.input('numbers', [batch, 3]);
  const once = builder.node('Mul', [input, builder.scalar(-1)]);
  builder.output(builder.node('Mul', [once, builder.scalar(-1)], {}, 'scores'), [batch, 3]);
  return builder.model();
}

function dataset(rows: readonly (readonly number[])[], labels?: readonly number[]): Dataset {
  return {
    kind: 'npz',
    name: 'rows',
    size: rows.length,
    sampleShape: [rows[0]?.length ?? 0],
    samples: Float32Array.from(rows.flat()),
    labels: labels && Int32Array.from(labels),
    classNames: ['a', 'b', 'c'],
    origins: undefined,
    skipped: [],
    hash: '',
  };
}

// Predicted: 0, 1, 0 (first of equals), 1, 1.
const ROWS = [
  [3, 1, 2],
  [0, 1, -1],
  [5, 5, 5],
  [-3, -1, -2],
  [0, 2, 1],
];

describe('evaluate', () => {
  it.each([1, 2, 5, 64])('counts right answers, in batches of %i', async (batch) => {
    const done: number[] = [];
    const found = await evaluateModel(echo(), dataset(ROWS, [0, 0, 0, 1, 0]), {
      name: 'echo',
      batch,
      onProgress: (count) => done.push(count),
    });
    expect([...found.predictions]).toEqual([0, 1, 0, 1, 1]);
    // Class 0: 2 of 4; class 1: 1 of 1; class 2 has no sample and does not count.
    expect(found).toMatchObject({ n: 5, accuracy: 3 / 5, balancedAccuracy: (0.5 + 1) / 2 });
    expect(found.recall).toEqual([0.5, 1, Number.NaN]);
    expect(found.msPerSample).toBeGreaterThan(0);
    expect(done.at(-1)).toBe(5);
  });

  it('fills the last batch of a model that fixes the batch size', async () => {
    const model = echo(4);
    expect(describeClassifier(model, 'echo').fixedBatch).toBe(4);
    const { predictions } = await evaluateModel(model, dataset(ROWS, [0, 1, 0, 1, 1]), {
      name: 'echo',
      batch: 32,
    });
    expect([...predictions]).toEqual([0, 1, 0, 1, 1]);
  });

  it('takes reference predictions where there are no labels, and labels before them', async () => {
    const reference = Int32Array.from([0, 1, 2, 2, 1]);
    const without = await evaluateModel(echo(), dataset(ROWS), { name: 'echo', reference });
    expect(without.accuracy).toBe(3 / 5);
    const labels = [0, 1, 0, 1, 1];
    expect(await evaluateModel(echo(), dataset(ROWS, labels), { name: 'echo', reference })).toMatchObject({
      accuracy: 1,
    });
  });

  it('refuses data without labels or of another shape', async () => {
    await expect(evaluateModel(echo(), dataset(ROWS), { name: 'echo' })).rejects.toMatchObject({
      code: 'E_DATA',
    });
    const wide = dataset([[1, 2, 3, 4]], [0]);
    await expect(evaluateModel(echo(), wide, { name: 'echo' })).rejects.toMatchObject({
      code: 'E_DATA_FIT',
      message: expect.stringMatching(/\[3\].*\[4\]/),
    });
  });
});

describe('describeClassifier', () => {
  it('refuses scores that depend on the other samples of a batch, naming the node', async () => {
    const builder = new GraphBuilder();
    const input = builder.input('x', ['batch', 3]);
    const mean = builder.node('ReduceMean', [input], { axes: ints([0]) }, 'centre');
    builder.output(builder.node('Sub', [input, mean], {}, 'scores'), ['batch', 3]);
    const model = builder.model(13);
    expect(() => describeClassifier(model, 'odd')).toThrowError(
      expect.objectContaining({
        code: 'E_UNSUPPORTED',
        message: expect.stringMatching(
          /depend on the others in its batch: ReduceMean 'centre' computes across samples/,
        ),
      }),
    );
    await expect(evaluateModel(model, dataset(ROWS, [0, 1, 0, 1, 1]), { name: 'odd' })).rejects.toThrow(
      'computes across',
    );
    // With one sample in every run there are no others.
    model.graph.inputs = [{ name: 'x', elemType: ELEM.float32, dims: [1, 3] }];
    model.graph.outputs = [{ name: 'scores', elemType: ELEM.float32, dims: [1, 3] }];
    expect(describeClassifier(model, 'odd').fixedBatch).toBe(1);
  });

  const changed = (change: (model: Model) => void): Model => {
    const model = echo();
    change(model);
    return model;
  };

  it('reads the interface', () => {
    expect(describeClassifier(echo(), 'echo')).toEqual({
      input: 'numbers',
      sampleShape: [3],
      output: 'scores',
      task: 'single-label',
      taskSaid: false,
      outputShape: [3],
      scores: 3,
      classes: 3,
      probabilities: false,
      exclusive: true,
      fixedBatch: undefined,
    });
  });

  it.each<[string, (model: Model) => void]>([
    [
      'two inputs',
      ({ graph }) => graph.inputs.push({ name: 'more', elemType: ELEM.float32, dims: ['batch', 1] }),
    ],
    ['no output', ({ graph }) => graph.outputs.splice(0)],
    ['bytes', ({ graph }) => void Object.assign(graph.inputs[0] ?? {}, { elemType: ELEM.uint8 })],
    [
      'a batch that no memory holds',
      ({ graph }) => void Object.assign(graph.inputs[0] ?? {}, { dims: [2 ** 31, 3] }),
    ],
    ['no batch axis', ({ graph }) => void Object.assign(graph.inputs[0] ?? {}, { dims: [3] })],
  ])('refuses %s', (_, change) => {
    expect(() => describeClassifier(changed(change), 'odd')).toThrowError(
      expect.objectContaining({ code: 'E_UNSUPPORTED', message: expect.stringContaining('odd') }),
    );
  });

  /** One output of the sample's three numbers, in a shape of its own, and perhaps the scores behind it. */
  const shaped = (shape: readonly number[], declared: readonly Dim[], scoresToo = false): Model => {
    const builder = new GraphBuilder();
    const input = builder.input('numbers', ['batch', 6]);
    const target = builder.constant(intConstant(shape), 'shape');
    builder.output(builder.node('Reshape', [input, target], {}, 'features'), declared);
    if (scoresToo) builder.output(builder.node('Relu', [input], {}, 'probabilities'), ['batch', 6]);
    return builder.model();
  };

  it.each<[string, readonly number[], readonly Dim[], string]>([
    ['rows that are not the batch', [-1, 3], ['rows', 3], '[2, 3]'],
  ])('refuses %s by name and shape', (_what, shape, declared, told) => {
    expect(() => describeClassifier(shaped(shape, declared), 'odd')).toThrowError(
      expect.objectContaining({
        code: 'E_UNSUPPORTED',
        message: expect.stringMatching(/odd: output 'features\w*' is /),
      }),
    );
    expect(() => describeClassifier(shaped(shape, declared), 'odd')).toThrow(`${told} for a batch of 1`);
  });

  it('names another output that has the scores', () => {
    expect(() => describeClassifier(shaped([-1, 3], ['rows', 3], true), 'odd')).toThrowError(
      expect.objectContaining({ hint: expect.stringMatching(/'probabilities\w*' would fit/) }),
    );
  });

  it('refuses an output of another shape than is declared, when it runs', async () => {
    // Of an operator that is only carried, the declaration is all that is known: here it is stale.
    const builder = new GraphBuilder();
    const input = builder.input('numbers', ['batch', 3]);
    const indices = builder.constant(intConstant(new Array<number>(30).fill(1), [5, 6]));
    const twice = builder.node('GatherElements', [input, indices], { axis: int(1) }, 'scores');
    builder.output(twice, ['batch', 3]);
    await expect(
      evaluateModel(builder.model(), dataset(ROWS, [0, 0, 0, 0, 0]), { name: 'stale' }),
    ).rejects.toMatchObject({ code: 'E_UNSUPPORTED', message: expect.stringContaining('[5, 6]') });
  });

  it('refuses a chosen class instead of scores when it runs', async () => {
    const builder = new GraphBuilder();
    const input = builder.input('numbers', ['batch', 3]);
    const chosen = builder.node('Cast', [input], { to: int(ELEM.int64) }, 'chosen');
    builder.output(chosen, ['batch', 3], ELEM.int64);
    await expect(
      evaluateModel(builder.model(), dataset(ROWS, [0, 0, 0, 0, 0]), { name: 'odd' }),
    ).rejects.toMatchObject({
      code: 'E_UNSUPPORTED',
    });
  });
});

describe('accuracies', () => {
  it('is exact for one sample and for all wrong', () => {
    expect(accuracies(Int32Array.of(1), Int32Array.of(1), 2)).toEqual({
      accuracy: 1,
      balancedAccuracy: 1,
      recall: [Number.NaN, 1],
    });
    expect(accuracies(Int32Array.of(0, 0), Int32Array.of(1, 1), 2).accuracy).toBe(0);
  });

  it('agreement counts equal entries', () => {
    expect(agreementOf(Int32Array.of(1, 2, 3, 4), Int32Array.of(1, 2, 0, 4))).toBe(0.75);
  });
});
