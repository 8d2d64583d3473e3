// Where explanations of each task start: relevance sums to the explained scores, and the gradient of each loss equals
// differences of that loss, computed here from the network's output.
import { describe, expect, it } from 'vitest';
import { createSession, tensor } from '../../engine/index.ts';
import type { Model } from '../../onnx/index.ts';
import { int } from '../../onnx/internal.ts';
import type { TaskKind } from '../../util/index.ts';
import type { ScoreForm } from '../../util/internal.ts';
import type { CriterionContext } from '../criterion.ts';
import { convolutional, parseRule } from '../lrp/composite.ts';
import { context } from '../test-support/calibration.ts';
import { Net } from '../test-support/nets.ts';
import { type AttributionSpec, attribute } from './attribute.ts';

const [COUNT, LENGTH] = [3, 6];
const RELEVANCE: AttributionSpec = {
  attribution: { kind: 'relevance', ruleOf: convolutional(parseRule('epsilon=1e-9')) },
  readout: 'sum',
};
const LOSS: AttributionSpec = { attribution: { kind: 'gradient' }, readout: 'sum', start: 'loss' };

interface Case {
  readonly task: TaskKind;
  readonly shape: readonly number[];
  readonly end?: 'Sigmoid' | 'Softmax';
  readonly labels?: readonly number[];
  readonly targets?: readonly number[];
}

const masks = [0, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1];
const CASES: readonly Case[] = [
  { task: 'binary', shape: [1], labels: [1, 0, 1] },
  { task: 'binary', shape: [], end: 'Sigmoid', labels: [1, 0, 1] },
  { task: 'multi-label', shape: [3], targets: [1, 0, 1, 0, 1, 0, 1, 1, 1] },
  { task: 'multi-label', shape: [3], end: 'Sigmoid', targets: [1, 0, 1, 0, 1, 0, 1, 1, 1] },
  { task: 'regression', shape: [2], targets: [0.3, -1, 2, 0.5, 0, 1] },
  { task: 'segmentation', shape: [1, LENGTH], targets: masks },
  { task: 'segmentation', shape: [1, LENGTH], end: 'Sigmoid', targets: masks },
  { task: 'segmentation', shape: [3, LENGTH], targets: masks.map((value, i) => (i % 5 === 2 ? 2 : value)) },
  { task: 'segmentation', shape: [3, LENGTH], end: 'Softmax', targets: masks.map((value) => 2 * value) },
  { task: 'embedding', shape: [4], targets: Array.from({ length: 12 }, (_, i) => Math.sin(i)) },
];

/** Two convolutions without bias (relevance is lost to none), perhaps a dense layer, and the end. */
function network({ task, shape, end }: Case): Model {
  const net = new Net([2, LENGTH], 5);
  const options = { kernel: [3], pads: [1, 1], bias: false };
  const hidden = net.relu(net.conv(net.input, 2, 4, options));
  const size = shape.reduce((product, axis) => product * axis, 1);
  let scores =
    task === 'segmentation'
      ? net.conv(hidden, 4, shape[0] as number, options)
      : net.gemm(net.op('Flatten', [hidden]), 4 * LENGTH, size, false);
  if (end) scores = net.op(end, [scores], end === 'Softmax' ? { axis: int(1) } : {});
  if (shape.length === 0) scores = net.op('Reshape', [scores, net.builder.ints([-1])]);
  net.builder.output(scores, ['batch', ...shape]);
  return net.builder.model(17);
}

function contextOf(given: Case, target: 'label' | 'predicted' = 'label'): CriterionContext {
  const { task, shape, end, labels, targets } = given;
  const scores = shape.reduce((product, axis) => product * axis, 1);
  const exclusive = task === 'segmentation' && shape[0] !== 1;
  const form: ScoreForm = {
    ...{ task, outputShape: shape, scores, classes: Math.max(2, shape[0] ?? 1) },
    ...{ exclusive, probabilities: end !== undefined },
  };
  const made = context(network(given), { count: COUNT, ...(labels ? { labels } : {}), target });
  const kind =
    ({ segmentation: 'mask', 'multi-label': 'labels' } as const)[task as 'segmentation'] ?? 'values';
  const data = targets && { kind, shape: [targets.length / COUNT], data: Float32Array.from(targets) };
  return { ...made, calibration: { ...made.calibration, form, ...(data ? { targets: data } : {}) } };
}

async function inputs(made: CriterionContext, spec: AttributionSpec): Promise<Float64Array> {
  const size = made.calibration.samples.length / COUNT;
  const all = new Float64Array(COUNT * size);
  await attribute(made, spec, ({ first, input }) => all.set(input ?? [], first * size), { wantInput: true });
  return all;
}

/** The scores before a sigmoid or softmax: of the network without its end. */
async function scoresOf(given: Case, samples: Float32Array): Promise<number[][]> {
  const { end: _, ...open } = given;
  const model = network(open);
  const session = await createSession(model, { name: 'net' });
  try {
    const result = await session.run({ input: tensor(samples, [COUNT, 2, LENGTH]) });
    const data = Object.values(result)[0]?.data as Float32Array;
    const size = data.length / COUNT;
    return Array.from({ length: COUNT }, (_, i) => Array.from(data.subarray(i * size, (i + 1) * size)));
  } finally {
    await session.release();
  }
}

/** What is explained of a sample, written out. */
function explained(
  { task, shape, labels, targets = [] }: Case,
  scores: readonly number[],
  i: number,
): number {
  const each = targets.length / COUNT;
  const own = targets.slice(i * each, (i + 1) * each);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  if (task === 'binary') return (labels?.[i] === 1 ? 1 : -1) * (scores[0] as number);
  if (task === 'regression') return sum(scores);
  if (task === 'embedding') return sum(scores.map((score) => score * score));
  if (task === 'multi-label' || shape[0] === 1) return sum(scores.filter((_, k) => own[k] === 1));
  return sum(own.map((label, at) => (label > 0 ? (scores[label * LENGTH + at] as number) : 0)));
}

function loss({ task, shape, labels, targets = [] }: Case, scores: readonly number[], i: number): number {
  const each = targets.length / COUNT;
  const own = task === 'binary' ? [labels?.[i] as number] : targets.slice(i * each, (i + 1) * each);
  if (task === 'regression' || task === 'embedding') {
    return scores.reduce((sum, score, k) => sum + (score - (own[k] as number)) ** 2 / 2, 0);
  }
  if (task === 'segmentation' && shape[0] !== 1) {
    return own.reduce((sum, label, at) => {
      const column = [0, 1, 2].map((k) => scores[k * LENGTH + at] as number);
      return sum + Math.log(column.reduce((all, x) => all + Math.exp(x), 0)) - (column[label] as number);
    }, 0);
  }
  return scores.reduce((sum, x, k) => sum + Math.log(1 + Math.exp(x)) - (own[k] as number) * x, 0);
}

describe.each(CASES.map((given) => [`${given.task} [${given.shape}] ${given.end ?? ''}`, given] as const))(
  '%s',
  (_, given) => {
    it('conserves: relevance of the input sums to the explained score', async () => {
      const made = contextOf(given);
      const relevance = await inputs(made, RELEVANCE);
      const scores = await scoresOf(given, made.calibration.samples);
      const size = relevance.length / COUNT;
      scores.forEach((row, i) => {
        const total = relevance.subarray(i * size, (i + 1) * size).reduce((a, b) => a + b, 0);
        // A sample without a mask is explained by its highest score.
        const whole = explained(given, row, i) || Math.max(...row);
        expect(total).toBeCloseTo(whole, 3);
      });
    });

    it('has the gradient of its loss', async () => {
      const made = contextOf(given);
      const gradient = await inputs(made, LOSS);
      const { samples } = made.calibration;
      const step = 1e-2;
      for (const at of [0, 7, 13, 20, 29]) {
        const i = Math.floor((at * COUNT) / samples.length);
        const moved = async (by: number): Promise<number> => {
          const copy = samples.slice();
          copy[at] = (copy[at] as number) + by;
          return loss(given, (await scoresOf(given, copy))[i] as number[], i);
        };
        const difference = ((await moved(step)) - (await moved(-step))) / (2 * step);
        expect(Math.abs((gradient[at] as number) - difference)).toBeLessThan(
          0.02 * (1 + Math.abs(difference)),
        );
      }
    });
  },
);

describe('without labels', () => {
  it('starts from what the network finds', async () => {
    for (const given of CASES.filter(({ task }) => task !== 'embedding' && task !== 'regression')) {
      const { labels: _, targets: __, ...rest } = given;
      const made = contextOf(rest, 'predicted');
      const relevance = await inputs(made, RELEVANCE);
      expect(relevance.every(Number.isFinite) && relevance.some((value) => value !== 0)).toBe(true);
    }
  });

  it('has no loss of values, and says so', async () => {
    const made = contextOf({ task: 'regression', shape: [2] });
    await expect(inputs(made, LOSS)).rejects.toMatchObject({ code: 'E_CRITERION' });
  });
});
