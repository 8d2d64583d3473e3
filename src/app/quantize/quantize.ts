// Quantises a network to eight bits, writes it, and measures the float32 one and the written one.
import { stat } from 'node:fs/promises';
import type { Dataset } from '../../data/index.ts';
import { withEngineShapes } from '../../engine/index.ts';
import { type Measures, measureSpeedup, type Speed } from '../../evaluate/index.ts';
import { agreement, evaluateModel, mainMeasure } from '../../evaluate/internal.ts';
import { loadModel, type Model, writeModel } from '../../onnx/index.ts';
import { restoredModel } from '../../onnx/internal.ts';
import { assertWritable, hasClasses, type MeasureName, type TaskKind } from '../../util/index.ts';
import { inOneForm, saveNetwork } from '../network/form.ts';
import type { Network, NetworkSource } from '../network/network.ts';
import { networkForData } from '../network/task.ts';
import { assertOther } from '../output-file.ts';
import { type Journal, journalOf, type Progress, type Reporter, type Said } from '../reporter.ts';
import { assertPriorApplies } from '../samples/class-prior.ts';
import { loadTwoSets, type TwoSets, type TwoSetsOptions } from '../samples/samples.ts';
import { type Int8Facts, type Int8Options, inInt8, type KernelCounts, kernelCounts } from './int8.ts';

/** The samples that calibrate and measure, and what has eight bits. */
export interface QuantizeNetworkOptions extends Int8Options, TwoSetsOptions {
  /** The ONNX file to write; default: none is written. */
  readonly out?: string | undefined;
  /** Whether both networks are timed; default true. */
  readonly speed?: boolean | undefined;
}

/** Sizes and times of two networks, beside each other. */
export interface Int8Speed {
  /** Bytes of the file, and of that of the float32 network as it would be written. */
  readonly bytes: number;
  readonly bytesBefore: number;
  /** Measured time of the float32 network over that of the other, at the batch asked for, and one sample at a time. */
  readonly speedup: number;
  readonly speedupSingle: number;
  /** Milliseconds of one sample: at that batch, and alone. */
  readonly msPerSampleBefore: number;
  readonly msPerSampleAfter: number;
  readonly msSingleBefore: number;
  readonly msSingleAfter: number;
  /** Why speedups and times are not numbers; absent where they were measured. */
  readonly speedNotMeasured?: string;
  /** What the engine's profile says of the layers of the written network. */
  readonly kernels: KernelCounts;
}

/** A network in eight bits, measured beside itself in float32. */
export interface QuantizeResult extends Said, Int8Facts, Int8Speed {
  /** The file that was written; absent if none was asked for. */
  readonly out?: string;
  readonly task: TaskKind;
  /** The name of the main measure; `agreement` where there are no labels. */
  readonly measure: MeasureName;
  /** The measures of the task by name, the main one first (docs/tasks.md), in float32 and in eight bits. */
  readonly measureBefore: Measures;
  readonly measureAfter: Measures;
  /** Agreement with the network in float32: of classes, the share of samples whose class did not change. */
  readonly agreement: number;
  readonly n: number;
  /** Whether measures are of labels; otherwise they are agreement with the network in float32. */
  readonly labelled: boolean;
  /** The network as its file has it. */
  readonly model: Model;
}

/**
 * Calibrates on samples of the local split, quantises, and measures both networks on the test split. With `out` the file is
 * written, and what is measured is read back from it.
 * @throws BedsideError E_UNSUPPORTED where no layer can have eight bits; E_USAGE for an `out` that is the network itself, or a
 *   layer that there is not; E_OUTPUT; as `networkOf`, `loadTwoSets` and `quantizeModel`
 */
export async function quantize(
  source: NetworkSource,
  options: QuantizeNetworkOptions,
  reporter?: Reporter | Journal,
): Promise<QuantizeResult> {
  const journal = journalOf(reporter);
  const { out, seed = 1 } = options;
  if (out !== undefined) {
    await assertOther(typeof source === 'string' ? source : source.name, out);
    await assertWritable(out);
  }
  const network = await networkForData(source, options.data, options, journal);
  if (options.classPrior) assertPriorApplies(network.classifier, network.name);
  const sets = await loadTwoSets(network.classifier, options, seed, journal);
  journal.note(`calibrating on ${sets.calibration.size} samples, measuring on ${sets.test.size}`);
  const result = await journal.during('quantising', async (progress) => {
    const { name, canonical } = network;
    const subject = { name, model: canonical, calibration: sets.calibration };
    const { facts, model: made } = await inInt8(subject, options, journal, progress);
    const model = await writtenInt8(made, network, out, journal);
    const measured = await measure(network, model, sets, options, progress);
    return { ...(out === undefined ? {} : { out }), ...facts, ...measured };
  });
  remarkSpeed(result, journal);
  return { ...result, ...journal.said() };
}

/** The network as it is in its file, or would be, in the form that is measured. */
export async function writtenInt8(
  model: Model,
  { name, classifier }: Network,
  out: string | undefined,
  journal: Journal,
): Promise<Model> {
  if (out === undefined) return inOneForm(restoredModel(model), name, classifier.output);
  for (const remark of await saveNetwork(model, out)) journal.remark(remark);
  return await withEngineShapes(inOneForm(await loadModel(out), out, classifier.output), out);
}

async function measure(
  network: Network,
  model: Model,
  sets: TwoSets,
  options: QuantizeNetworkOptions,
  progress: Progress,
): Promise<Omit<QuantizeResult, keyof Said | keyof Int8Facts | 'out'>> {
  const { name, original, classifier } = network;
  const { test, shares } = sets;
  const { batch, threads, out = `${name}, in eight bits` } = options;
  const run = (called: string, of: Model, reference: Float32Array | 'own') =>
    evaluateModel(of, test, {
      name: called,
      ...{ batch, threads, reference, classPrior: shares },
      onProgress: (done, total) => progress.update(done, total, `measuring ${called}`),
    });
  const before = await run(name, original, 'own');
  const after = await run(out, model, before.logits);
  const labelled = (hasClasses(classifier.task) ? test.labels : test.targets) !== undefined;
  return {
    task: classifier.task,
    measure: mainMeasure(before.measures).name,
    measureBefore: before.measures,
    measureAfter: after.measures,
    agreement: agreement(classifier, before.logits, after.logits),
    n: test.size,
    labelled,
    ...(await int8Speed(network, model, test, { ...options, out })),
    model: restoredModel(model),
  };
}

const NOT_TIMED: Speed = { speedup: Number.NaN, before: Number.NaN, after: Number.NaN, rounds: 0 };

/** Bytes, times and kernels of a network in eight bits beside those of the one in float32. */
export async function int8Speed(
  { name, original }: Network,
  model: Model,
  test: Dataset,
  options: Pick<QuantizeNetworkOptions, 'batch' | 'threads' | 'speed'> & { readonly out: string },
): Promise<Int8Speed> {
  const { batch, threads, out, speed: timed = true } = options;
  const both = [
    { model: original, name },
    { model, name: out },
  ] as const;
  const speed = timed ? await measureSpeedup(...both, test, { batch, threads }) : NOT_TIMED;
  const single = timed ? await measureSpeedup(...both, test, { batch: 1, threads }) : NOT_TIMED;
  const size = await stat(out).catch(() => undefined);
  return {
    bytes: size?.size ?? writeModel(restoredModel(model)).length,
    bytesBefore: writeModel(restoredModel(original)).length,
    speedup: speed.speedup,
    speedupSingle: single.speedup,
    msPerSampleBefore: speed.before,
    msPerSampleAfter: speed.after,
    msSingleBefore: single.before,
    msSingleAfter: single.after,
    ...(timed ? {} : { speedNotMeasured: 'not asked for' }),
    kernels: await kernelCounts(model, test, out),
  };
}

/** Says where eight bits gain no time on this machine. */
export function remarkSpeed(
  { speedup, speedupSingle, kernels, layersQuantized }: Int8Speed & Pick<Int8Facts, 'layersQuantized'>,
  journal: Journal,
): void {
  const run = Object.values(kernels.integer).reduce((sum, count) => sum + count, 0);
  if (run < layersQuantized) {
    journal.remark(
      `the engine runs ${run} of ${layersQuantized} eight-bit layers with integers, and the others in float32`,
    );
  }
  const slower = [
    ...(speedup < 1 ? [`in batches (${speedup.toFixed(2)} times the speed)`] : []),
    ...(speedupSingle < 1 ? [`one sample at a time (${speedupSingle.toFixed(2)} times the speed)`] : []),
  ];
  if (slower.length > 0) {
    journal.remark(`eight bits are slower than float32 on this machine ${slower.join(' and ')}`);
  }
}
