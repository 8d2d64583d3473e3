// Time of an attribution pass as a multiple of the forward pass of the same batch, one thread, in one run.
// Command: npm run bench:explain
import { createSession, tensor } from '../src/engine/index.ts';
import { type Attribution, AttributionPass } from '../src/explain/index.ts';
import { convolutional, oneHot, parseRule, type ReadoutKind } from '../src/explain/internal.ts';
import { canonicalModel, loadModel } from '../src/onnx/index.ts';
import { median, must } from '../src/util/index.ts';
import { Random } from '../src/util/internal.ts';
import { writeResults } from './lib/results.ts';
import { modelPath, SHARED_MODELS } from './lib/shared.ts';

const BATCH = 32;
const ROUNDS = 15;

const PASSES: readonly {
  name: string;
  attribution: Attribution;
  readout: ReadoutKind;
  goal: number | undefined;
  /** Of networks with residual sums, where both signs of an output count. */
  residualGoal?: number | undefined;
}[] = [
  ...(['epsilon', 'zplus', 'gamma', 'alpha2beta1'] as const).map((rule) => ({
    name: `lrp-${rule}`,
    attribution: { kind: 'relevance', ruleOf: convolutional(parseRule(rule)) } as const,
    readout: 'sum' as const,
    goal: { epsilon: 3.5, zplus: 3.5, gamma: 6, alpha2beta1: undefined }[rule],
    residualGoal: { epsilon: undefined, zplus: undefined, gamma: 4, alpha2beta1: 5 }[rule],
  })),
  { name: 'taylor', attribution: { kind: 'gradient' }, readout: 'times-activation', goal: 4 },
  { name: 'gradient', attribution: { kind: 'gradient' }, readout: 'absolute-sum', goal: 4 },
];

const rows: (string | number)[][] = [];
for (const { name, sampleShape, classes } of SHARED_MODELS) {
  const model = canonicalModel(await loadModel(modelPath(name)));
  const dims = [BATCH, ...sampleShape];
  const random = new Random(0);
  const samples = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => random.uniform());
  const start = oneHot(new Int32Array(BATCH), classes);
  const forward = await createSession(model, { name });
  const input = must(forward.inputNames[0], 'the model has no input');
  const runs: [string, () => Promise<unknown>][] = [
    ['forward', () => forward.run({ [input]: tensor(samples, dims) })],
  ];
  const passes: AttributionPass[] = [];
  for (const { name: passName, attribution, readout } of PASSES) {
    const pass = await AttributionPass.create(model, {
      attribution,
      readout,
      start: 'given',
      modelName: name,
    });
    passes.push(pass);
    runs.push([passName, () => pass.run(samples, dims, start)]);
  }
  const times = new Map<string, number[]>(runs.map(([key]) => [key, []]));
  // Interleaved, so that a slow spell of the machine falls on all alike; the first round warms up.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [key, run] of runs) {
      const began = performance.now();
      await run();
      if (round > 0) times.get(key)?.push((performance.now() - began) / BATCH);
    }
  }
  const perSample = (key: string): number => median(times.get(key) ?? []);
  // The ratio is taken round by round, against the forward pass just before.
  const ratio = (key: string): number =>
    median(
      (times.get(key) ?? []).map((time, i) => time / must(times.get('forward')?.[i], 'no forward time')),
    );
  rows.push([name, 'forward', perSample('forward').toFixed(3), '1.00', '']);
  for (const { name: key, goal, residualGoal } of PASSES) {
    const wanted = name === 'medical-mnist-vgg16' ? goal : residualGoal;
    const shown = wanted === undefined ? '' : `<= ${wanted}`;
    rows.push([name, key, perSample(key).toFixed(3), ratio(key).toFixed(2), shown]);
  }
  for (const pass of passes) await pass.release();
  await forward.release();
}

process.stdout.write(
  await writeResults('explain', {
    title: 'Attribution passes against the forward pass',
    command: 'npm run bench:explain',
    about: `ONNX Runtime, one thread, batch of ${BATCH}, median of ${ROUNDS} interleaved rounds. A pass includes its own forward pass and gives every layer's per-channel sums.`,
    tables: [
      {
        title: 'Milliseconds a sample, and ratio',
        columns: ['model', 'pass', 'ms/sample', 'ratio', 'goal'],
        rows,
      },
    ],
  }),
);
