// Bundles for tests, with splits as packing finds them, and random plans.
import { assembleModel, type Bundle, openBundle } from '../../bundle/index.ts';
import {
  findVariant,
  type ManifestParts,
  recallsOf,
  totalCosts,
  type Variant,
  writeBundle,
} from '../../bundle/internal.ts';
import {
  bundleOf,
  type ContentsOptions,
  contentsOf,
  randomLevels,
} from '../../bundle/test-support/contents.ts';
import { createSession, type FloatTensor, type Session, tensor } from '../../engine/index.ts';
import { findStages, type Model } from '../../onnx/index.ts';
import { sizeOf } from '../../onnx/internal.ts';
import { splitOf } from '../../pack/internal.ts';
import { outputChannels, segmentsOf } from '../../plan/internal.ts';
import { must } from '../../util/index.ts';
import type { Random } from '../../util/internal.ts';
import { devicesOf, type RunPlan } from '../protocol/plan.ts';

/** A bundle of a canonical network, with its splits. */
export function splitBundle(model: Model, options: ContentsOptions = {}): Bundle {
  const bundle = bundleOf(model, options);
  const found = findStages(model);
  const stages = bundle.manifest.stages.map((stage) => ({
    ...stage,
    ...splitOf(model, bundle.grouping, must(found[stage.index], 'a stage')),
  }));
  const shape = must(bundle.grouping.shapes.get(bundle.manifest.model.output.name), 'shape').slice(1);
  const output = { ...bundle.manifest.model.output, classes: sizeOf(shape) };
  const manifest = { ...bundle.manifest, ...taskOfShape(shape), stages };
  return { ...bundle, manifest: { ...manifest, model: { ...bundle.manifest.model, output } } };
}

/** One label where there is one score for each class; otherwise a binary label, or a mask. */
function taskOfShape(shape: readonly number[]): Pick<ManifestParts, 'task'> {
  const [channels = 1, ...positions] = shape;
  if (sizeOf(shape) === 1) return { task: { kind: 'binary', outputShape: shape, classes: 2, threshold: 0 } };
  if (positions.length === 0) return {};
  return { task: { kind: 'segmentation', outputShape: shape, classes: Math.max(2, channels) } };
}

/**
 * Random levels unless given. Each stage runs on one, two or four of the devices, the first stage on the first device.
 */
export function randomPlan(
  { manifest }: Bundle,
  devices: readonly string[],
  random: Random,
  levels: readonly number[] = randomLevels(manifest, random),
): RunPlan {
  const stages = manifest.stages.map(({ index, split }) => {
    const channels = outputChannels(manifest, index, levels);
    const most = index === 0 || split === 'none' ? 1 : Math.min(channels, devices.length);
    const sizes = [1, 2, 4].filter((size) => size <= most);
    const count = must(sizes[random.integer(sizes.length)], 'a size');
    const chosen = index === 0 ? devices.slice(0, 1) : random.shuffle([...devices]).slice(0, count);
    return { index, segments: segmentsOf(chosen, channels) };
  });
  return { levels, stages };
}

/** Everything on one device. */
export function localPlanOf({ manifest }: Bundle, device: string, levels: readonly number[]): RunPlan {
  const stages = manifest.stages.map(({ index }) => ({
    index,
    segments: segmentsOf([device], outputChannels(manifest, index, levels)),
  }));
  return { levels, stages };
}

/** Writes a bundle of a canonical network, with its splits, and opens it. */
export async function writtenBundle(
  dir: string,
  model: Model,
  options: ContentsOptions = {},
): Promise<Bundle> {
  return await writeContents(dir, model, options, ({ variants }) => variants);
}

/** The same with a corrected variant at each level, each with its own costs and less accuracy. */
export async function measuredBundle(dir: string, model: Model): Promise<Bundle> {
  const { groups, ratios } = contentsOf(model).manifest;
  const variants = ratios.slice(1).map((_, i) => groups.map(() => i + 1));
  return await writeContents(dir, model, { variants }, (manifest) =>
    manifest.variants.map((variant, i) => {
      const { macs, weightBytes, crossingBytes } = totalCosts(manifest, variant.levels);
      const accuracy = 0.9 - 0.02 * i;
      return { ...variant, macs, weightBytes, crossingBytes, accuracy, lowerBound: accuracy - 0.05 };
    }),
  );
}

async function writeContents(
  dir: string,
  model: Model,
  options: ContentsOptions,
  measure: (manifest: ManifestParts) => readonly Variant[],
): Promise<Bundle> {
  const contents = contentsOf(model, options);
  const { stages, task, model: signature } = splitBundle(model, options).manifest;
  const { input, output, source } = signature;
  const variants = measure(contents.manifest).map((variant) => ({
    ...variant,
    recall: Array.from<null>({ length: recallsOf({ task, model: signature }) }).fill(null),
  }));
  await writeBundle(dir, {
    ...contents,
    manifest: {
      ...contents.manifest,
      ...(task ? { task } : {}),
      stages,
      variants,
      model: { input, output, source },
    },
  });
  return openBundle(dir);
}

/** One sample of random numbers. */
export function randomSample({ manifest }: Bundle, random: Random): FloatTensor {
  const { shape } = manifest.model.input;
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal());
  return tensor(data, [1, ...shape]);
}

/** The result of one machine at these levels, with the correction if they are those of a variant. */
export async function onOneMachine(
  bundle: Bundle,
  levels: readonly number[],
  input: FloatTensor,
): Promise<Float32Array> {
  const single = new SingleMachine(bundle);
  const result = await single.run(levels, input);
  await single.close();
  return result;
}

/** The network on one machine, at any levels; sessions are kept. */
export class SingleMachine {
  readonly #bundle: Bundle;
  readonly #sessions = new Map<string, Promise<Session>>();

  constructor(bundle: Bundle) {
    this.#bundle = bundle;
  }

  async run(levels: readonly number[], input: FloatTensor): Promise<Float32Array> {
    const { manifest } = this.#bundle;
    const key = levels.join();
    const made = this.#sessions.get(key) ?? this.#make(levels);
    this.#sessions.set(key, made);
    const { input: from, output } = manifest.model;
    const result = (await (await made).run({ [from.name]: input }))[output.name];
    return result?.data as Float32Array;
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.values()) await (await session).release();
  }

  #make(levels: readonly number[]): Promise<Session> {
    const correction = findVariant(this.#bundle.manifest, levels);
    return createSession(assembleModel(this.#bundle, levels, { correction }), { name: 'whole' });
  }
}

/** A plan that needs a device, if one is named. */
export function planThrough(
  bundle: Bundle,
  { devices, needed }: { readonly devices: readonly string[]; readonly needed: string | undefined },
  random: Random,
  levels: readonly number[],
): RunPlan {
  const all = needed === undefined || devices.includes(needed) ? devices : [...devices, needed];
  for (;;) {
    const plan = randomPlan(bundle, all, random, levels);
    if (needed === undefined || devicesOf(plan).includes(needed)) return plan;
  }
}
