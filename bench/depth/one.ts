// Prunes one network of random weights in a process of its own, and prints seconds, work and memory as JSON.
// Command: tsx bench/depth/one.ts NETWORK[@SIZE] CRITERION SAMPLES MACS

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import type { Dataset } from '../../src/data/index.ts';
import { evaluateModel } from '../../src/evaluate/internal.ts';
import type { Model } from '../../src/onnx/index.ts';
import { findCriterion, pruneModel } from '../../src/prune/index.ts';
import { autoCriterion, rankAuto } from '../../src/prune/internal.ts';
import { repair } from '../../src/repair/index.ts';
import { clearMemoryLater } from '../../src/util/index.ts';
import { Random } from '../../src/util/internal.ts';
import { processorSeconds } from '../lib/figures.ts';
import { type Built, chain, densenet121, mobilenetV2, resnet50 } from './networks.ts';

// As the command does.
clearMemoryLater();

const [name = 'chain-20', criterion = 'auto', samples = '40', macs = '0.5'] = process.argv.slice(2);

const { InferenceSession } = createRequire(import.meta.url)(
  'onnxruntime-node',
) as typeof import('onnxruntime-node');
const count = { sessions: 0, runs: 0, engineSeconds: 0, productSeconds: 0, productGflop: 0 };
const { create } = InferenceSession;
InferenceSession.create = async (...given: unknown[]) => {
  count.sessions++;
  const session = await (create as (...words: unknown[]) => ReturnType<typeof create>)(...given);
  const run = session.run.bind(session) as (...words: unknown[]) => ReturnType<typeof session.run>;
  session.run = async (...words: unknown[]) => {
    count.runs++;
    const start = process.hrtime.bigint();
    const result = await run(...words);
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    count.engineSeconds += seconds;
    const { a, product } = { ...(words[0] as object), ...(result as object) } as Record<
      string,
      { size: number; dims: readonly number[] }
    >;
    if (a && product) {
      count.productSeconds += seconds;
      // `a` holds rows times depth; depth is what the product does not show.
      const depth =
        a.size / (a.dims[0] === product.dims[0] ? (product.dims[0] as number) : (a.dims[1] as number));
      count.productGflop += (2 * product.size * depth) / 1e9;
      if (process.env.SLOW && seconds > 0.02)
        process.stderr.write(`${a.dims} -> ${product.dims} ${seconds.toFixed(3)}\n`);
    }
    return result;
  };
  return session;
};

const MAKERS: Record<string, (size?: number) => Built> = { resnet50, densenet121, mobilenetV2 };
const [net = '', extent] = name.split('@');
const made = MAKERS[net]?.(extent ? Number(extent) : undefined) ?? chain(Number(net.split('-')[1]));
const random = new Random(7);
const size = Number(samples);
const length = made.sampleShape.reduce((product, extent) => product * extent, 1);
const noise = (count: number): Dataset =>
  ({
    name: 'noise',
    size: count,
    sampleShape: made.sampleShape,
    samples: Float32Array.from({ length: count * length }, () => random.normal()),
  }) as unknown as Dataset;
const calibration = noise(size);

const options = { name, calibration, block: 8, threads: 2, batch: 32, seed: 1 };
const amount = { macsFraction: Number(macs) };
const steps: Record<string, { wall: number; processor: number; sessions: number; runs: number }> = {};
let last = { at: performance.now(), processor: processorSeconds(), ...count };
const mark = (step: string): void => {
  const now = { at: performance.now(), processor: processorSeconds(), ...count };
  steps[step] = {
    wall: (now.at - last.at) / 1000,
    processor: now.processor - last.processor,
    sessions: now.sessions - last.sessions,
    runs: now.runs - last.runs,
  };
  last = now;
};
const start = { at: performance.now(), processor: processorSeconds() };
const tell = process.env.TELL ? (text: string): void => void process.stderr.write(`${text}\n`) : () => {};
let picked = criterion;
let cut: Awaited<ReturnType<typeof pruneModel>>;
if (criterion === 'auto') {
  const ranking = rankAuto(made.model, {
    ...options,
    criterion: autoCriterion(),
    repaired: true,
    onStep: (step) =>
      tell(`${step} ${((performance.now() - start.at) / 1000).toFixed(1)} ${processorSeconds().toFixed(1)}`),
  });
  const found = await ranking.prune(amount);
  picked = found.choice.criterion.name;
  tell(found.choice.reason);
  cut = found;
} else cut = await pruneModel(made.model, { ...options, ...amount, criterion: findCriterion(criterion) });
mark('choose and cut');
const repaired = await repair(made.model, cut.model, cut.grouping, cut.keep, {
  ...options,
  onProgress: (done, total) =>
    tell(
      `repaired ${done}/${total} ${((performance.now() - start.at) / 1000).toFixed(1)} ${processorSeconds().toFixed(1)}`,
    ),
});
mark('repair');
const end = {
  seconds: (performance.now() - start.at) / 1000,
  processor: processorSeconds() - start.processor,
};
const work = { ...count, peakBytes: process.resourceUsage().maxRSS * 1024 };
const unread = noise(8);
const scoresOf = async (model: Model): Promise<Float32Array> =>
  (await evaluateModel(model, unread, { name, threads: 2, batch: 8, reference: 'own' })).logits;
const [whole, small] = [await scoresOf(made.model), await scoresOf(repaired.model)];
const squares = (values: Float32Array): number => values.reduce((sum, value) => sum + value * value, 0);
const digest = createHash('sha256');
for (const constant of repaired.model.graph.constants.values()) {
  if (constant.type !== 'float32') continue;
  digest.update(new Uint8Array(constant.data.buffer, constant.data.byteOffset, constant.data.byteLength));
}
console.log(
  JSON.stringify({
    name,
    picked,
    samples: size,
    copies: repaired.copies,
    ...end,
    ...work,
    steps,
    layers: repaired.layers.length,
    distance: Math.sqrt(squares(whole.map((score, i) => score - (small[i] as number))) / squares(whole)),
    digest: digest.digest('hex').slice(0, 16),
  }),
);
