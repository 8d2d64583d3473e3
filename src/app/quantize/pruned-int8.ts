// The last step of `prune --int8`: the cut and repaired network in eight bits, fitted to the unpruned one.
import type { Measures } from '../../evaluate/index.ts';
import { agreement, evaluateModel } from '../../evaluate/internal.ts';
import type { Model } from '../../onnx/index.ts';
import type { PrunedModel } from '../../prune/index.ts';
import type { QuantizeOptions } from '../../quantize/index.ts';
import type { Network } from '../network/network.ts';
import type { Journal, Progress } from '../reporter.ts';
import type { TwoSets } from '../samples/samples.ts';
import { type Int8Facts, type Int8Options, inInt8 } from './int8.ts';
import { type Int8Speed, int8Speed, remarkSpeed } from './quantize.ts';

/** Options of `prune` and `compare` that concern eight bits. */
export interface WithInt8Options extends Pick<QuantizeOptions, 'keepFloat' | 'budget' | 'reducedRange'> {
  /** Whether the smaller network computes with eight-bit integers; default false. */
  readonly int8?: boolean | undefined;
}

/** What `prune --int8` tells of the eight bits. */
export type PrunedInt8 = Int8Facts & Int8Speed;

/** The pruned network in eight bits; layers are fitted to what the unpruned one gives. */
export async function prunedInInt8(
  { name, canonical }: Pick<Network, 'name' | 'canonical'>,
  { model, grouping, keep }: Pick<PrunedModel, 'model' | 'grouping' | 'keep'>,
  { calibration }: Pick<TwoSets, 'calibration'>,
  options: WithInt8Options & Int8Options,
  say: { readonly journal: Journal; readonly progress: Progress },
): Promise<{ readonly model: Model; readonly facts: Int8Facts }> {
  const source = { name, model, calibration, reference: { model: canonical, grouping, keep } };
  return await inInt8(source, options, say.journal, say.progress);
}

/** Bytes and times beside those of the unpruned network in float32, which remarks tell where they are no gain. */
export async function prunedInt8Fields(
  network: Network,
  model: Model,
  facts: Int8Facts,
  { test }: Pick<TwoSets, 'test'>,
  options: Int8Options & { readonly out?: string | undefined; readonly speed?: boolean | undefined },
  journal: Journal,
): Promise<PrunedInt8> {
  const { out = `${network.name}, pruned, in eight bits` } = options;
  const fields = { ...facts, ...(await int8Speed(network, model, test, { ...options, out })) };
  remarkSpeed(fields, journal);
  return fields;
}

/** The unpruned network in eight bits: what it is worth to prune as well. */
export interface Int8Base extends Int8Facts {
  readonly measures: Measures;
  readonly accuracy: number;
  readonly balancedAccuracy: number;
  /** Agreement with the unpruned network in float32. */
  readonly agreement: number;
}

/** Quantises and measures the unpruned network. */
export async function wholeInInt8(
  { name, canonical, classifier }: Network,
  { calibration, test, shares }: TwoSets,
  options: WithInt8Options & Int8Options,
  { journal, progress }: { readonly journal: Journal; readonly progress: Progress },
): Promise<Int8Base> {
  const { model, facts } = await inInt8({ name, model: canonical, calibration }, options, journal, progress);
  const { batch, threads } = options;
  const run = (of: Model, reference: Float32Array | 'own') =>
    evaluateModel(of, test, { name, batch, threads, classPrior: shares, reference });
  const before = await run(canonical, 'own');
  const { measures, accuracy, balancedAccuracy, logits } = await run(model, before.logits);
  const same = agreement(classifier, before.logits, logits);
  return { measures, accuracy, balancedAccuracy, agreement: same, ...facts };
}
