// Trains the network that `bedside demo` explains and prunes, on generated ECG beats, and writes it as ONNX.
// Run by `npm run train-demo -- [--seed N] [--per-class N] [--epochs N] [--out FILE]`; the defaults made the shipped file.
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { init, numpy as np } from '@jax-js/jax';
import { type Dataset, generateEcg } from '../src/data/index.ts';
import { createSession, type Session, tensor } from '../src/engine/index.ts';
import { writeModel } from '../src/onnx/index.ts';
import {
  assertWritable,
  BedsideError,
  formatBytes,
  formatCount,
  formatPercent,
  formatSeconds,
  messageOf,
  must,
  writeFileAtomic,
} from '../src/util/index.ts';
import { Random } from '../src/util/internal.ts';
import { modelCard } from './train-demo/card.ts';
import { exportNetwork } from './train-demo/export.ts';
import { ARCHITECTURE, type Parameters } from './train-demo/network.ts';
import { accuracy, logitsOf, type Schedule, train } from './train-demo/train.ts';

const OUT = 'models/ecg-demo.onnx';
const CARD = 'models/README.md';
/** Largest difference allowed between the logits of jax-js and of ONNX Runtime. */
const TOLERANCE = 1e-4;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      'per-class': { type: 'string', default: '2400' },
      epochs: { type: 'string', default: '20' },
      out: { type: 'string', default: OUT },
    },
  });
  const seed = wholeNumber('seed', values.seed, 0);
  const perClass = wholeNumber('per-class', values['per-class'], 20);
  const schedule: Schedule = {
    epochs: wholeNumber('epochs', values.epochs, 1),
    batch: 64,
    rate: 2e-3,
    warmUp: 100,
    decay: 1e-2,
  };
  await assertWritable(values.out);
  const started = performance.now();

  const data = generateEcg({ perClass, seed, split: 'local' });
  const validation = generateEcg({ perClass: 200, seed, split: 'test' });
  // A seed of its own, so that neither training nor validation has seen any of these beats.
  const testSeed = (seed + 1_000_003) % 2 ** 32;
  const test = generateEcg({ perClass: 1000, seed: testSeed, split: 'test' });
  console.log(
    `generated ${data.size} beats to train on, ${validation.size} to validate, ${test.size} to test`,
  );

  await init('wasm');
  const weights = await train(ARCHITECTURE, data, validation, schedule, new Random(seed), console.log);
  const bytes = writeModel(exportNetwork(ARCHITECTURE, weights));

  const session = await createSession(bytes, { name: values.out });
  try {
    await verify(session, weights, validation);
    const logits = await infer(session, test);
    const confusion = confusionOf(test, logits);
    const recall = confusion.map((row, label) => row[label]! / row.reduce((sum, count) => sum + count, 0));
    const right = accuracy(test, logits);
    console.log(`test accuracy ${formatPercent(right)}`);
    for (const [label, name] of test.classNames.entries()) {
      console.log(
        `  ${name} recall ${formatPercent(recall[label]!)}  answered ${confusion[label]!.join(' ')}`,
      );
    }
    const parameters = [...weights.values()].reduce((sum, { data: values }) => sum + values.length, 0);
    await writeFileAtomic(values.out, bytes);
    if (values.out === OUT) {
      const card = modelCard({
        seed,
        perClass,
        schedule,
        net: ARCHITECTURE,
        parameters,
        bytes: bytes.length,
        sha256: createHash('sha256').update(bytes).digest('hex'),
        classNames: test.classNames,
        test: { seed: testSeed, size: test.size, accuracy: right, recall, confusion },
      });
      await writeFileAtomic(CARD, card);
    }
    console.log(
      `wrote ${values.out}: ${formatCount(parameters)} parameters, ${formatBytes(bytes.length)}, ` +
        `in ${formatSeconds((performance.now() - started) / 1000)}`,
    );
  } finally {
    await session.release();
  }
}

// The exported graph and the trained network must be the same function.
async function verify(
  session: Session,
  weights: ReadonlyMap<string, { dims: number[]; data: Float32Array }>,
  data: Dataset,
): Promise<void> {
  const parameters: Parameters = {};
  for (const [name, { dims, data: values }] of weights) parameters[name] = np.array(values).reshape(dims);
  const expected = await logitsOf(ARCHITECTURE, parameters, data);
  const actual = await infer(session, data);
  let worst = 0;
  for (let i = 0; i < expected.length; i++) worst = Math.max(worst, Math.abs(expected[i]! - actual[i]!));
  if (!(worst <= TOLERANCE)) {
    throw new BedsideError(
      'E_INTERNAL',
      `internal: exported logits differ by ${worst}, more than ${TOLERANCE}`,
    );
  }
  console.log(`exported logits equal the trained network's within ${worst.toExponential(1)}`);
}

async function infer(session: Session, data: Dataset): Promise<Float32Array> {
  const feeds = { input: tensor(data.samples, [data.size, ...data.sampleShape]) };
  const logits = must((await session.run(feeds)).logits, 'no output named logits');
  if (logits.type !== 'float32') throw new BedsideError('E_INTERNAL', 'internal: logits are not float32');
  return logits.data;
}

function confusionOf(data: Dataset, logits: Float32Array): number[][] {
  const classes = data.classNames.length;
  const counts = data.classNames.map(() => new Array<number>(classes).fill(0));
  for (let i = 0; i < data.size; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    counts[data.labels![i]!]![row.indexOf(Math.max(...row))]!++;
  }
  return counts;
}

function wholeNumber(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least || value >= 2 ** 32) {
    throw new BedsideError('E_USAGE', `--${flag}: expected a whole number from ${least}, got '${text}'`);
  }
  return value;
}

main().catch((error: unknown) => {
  console.error(BedsideError.is(error) ? `${error.code}: ${error.message}` : messageOf(error));
  process.exitCode = 1;
});
