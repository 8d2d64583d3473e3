// Rarer operators, each in a tiny model: relevance that starts at the scores arrives at the input whole, and DeepLIFT's
// contributions add up to the change of the scores.
import { describe, expect, it } from 'vitest';
import type { Model } from '../../onnx/index.ts';
import { sizeOf } from '../../onnx/internal.ts';
import { AttributionPass, type PassOptions } from '../attribution/pass.ts';
import { epsilonRule } from '../lrp/rules.ts';
import { runModel } from '../test-support/differences.ts';
import { FURTHER_CASES } from '../test-support/further-operator-cases.ts';
import { Net, normals } from '../test-support/nets.ts';
import type { Case } from '../test-support/operator-cases.ts';
import { points } from '../test-support/points.ts';
import { SPACE_CASES } from '../test-support/space-operator-cases.ts';

const ALL = [...FURTHER_CASES, ...SPACE_CASES];
const BATCH = 2;
const CLASSES = 3;

/** The operator and a dense layer without a bias. */
function modelOf(given: Case): Model {
  const net = new Net(given.sample, 3);
  const flat = net.op('Flatten', [given.build(net)]);
  return net.finish(net.gemm(flat, given.features, CLASSES, false), CLASSES, given.opset);
}

/** What arrives at the input of each sample, summed. */
async function heldByInput(
  model: Model,
  options: Pick<PassOptions, 'attribution'>,
  values: { samples: Float32Array; start: Float32Array; reference?: Float32Array },
): Promise<number[]> {
  const dims = [BATCH, ...(model.graph.inputs[0]?.dims ?? []).slice(1).map(Number)];
  const pass = await AttributionPass.create(model, {
    ...options,
    start: 'given',
    wantInput: true,
    modelName: 'test',
  });
  try {
    const { input = new Float32Array() } = await pass.run(
      values.samples,
      dims,
      values.start,
      values.reference,
    );
    const size = input.length / BATCH;
    return Array.from({ length: BATCH }, (_, n) =>
      input.subarray(n * size, (n + 1) * size).reduce((sum, value, i) => {
        const weight = values.reference
          ? (values.samples[n * size + i] as number) - (values.reference[i] as number)
          : 1;
        return sum + value * weight;
      }, 0),
    );
  } finally {
    await pass.release();
  }
}

/** Refused, since multipliers have no rule there. */
const WITHOUT_MULTIPLIERS = (given: Case): boolean =>
  given.op === 'ReduceProd' || given.title === 'by a computed exponent' || given.title === 'of a constant';

describe('relevance is conserved', () => {
  it.each(ALL.filter(({ absorbs }) => !absorbs))('$op, $title', async (given) => {
    const model = modelOf(given);
    const dims = [BATCH, ...given.sample];
    const samples = points(given, sizeOf(dims), 4e-3);
    const scores = await runModel(model, samples, dims);
    const start = scores.map((score, i) => (i % CLASSES === 1 ? score : 0));
    const held = await heldByInput(
      model,
      { attribution: { kind: 'relevance', ruleOf: () => epsilonRule(1e-9) } },
      { samples, start },
    );
    held.forEach((sum, n) => {
      const score = start[n * CLASSES + 1] as number;
      expect(Math.abs(sum - score)).toBeLessThan(2e-3 * Math.max(0.1, Math.abs(score)));
    });
  });
});

describe('multipliers are complete', () => {
  it.each(ALL.filter((given) => !WITHOUT_MULTIPLIERS(given)))('$op, $title', async (given) => {
    const model = modelOf(given);
    const dims = [BATCH, ...given.sample];
    const samples = points(given, sizeOf(dims), 4e-3);
    const reference = points(given, sizeOf(given.sample), 4e-3, 12);
    const start = normals(BATCH * CLASSES, 5);
    const [now, before] = [
      await runModel(model, samples, dims),
      await runModel(model, reference, [1, ...given.sample]),
    ];
    const held = await heldByInput(
      model,
      { attribution: { kind: 'deeplift' } },
      { samples, start, reference },
    );
    held.forEach((sum, n) => {
      const change = Array.from({ length: CLASSES }, (_, c) => {
        const at = n * CLASSES + c;
        return (start[at] as number) * ((now[at] as number) - (before[c] as number));
      }).reduce((a, b) => a + b, 0);
      expect(Math.abs(sum - change)).toBeLessThan(2e-3 * Math.max(1, Math.abs(change)));
    });
  });
});
