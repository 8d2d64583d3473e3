// Random instances to train on, by number.
import { type PlanningInstance, type RandomInstanceOptions, randomInstance } from '../../plan/internal.ts';
import { Random } from '../../util/internal.ts';

/** Ranges of the sizes, both ends can be drawn; and how many requests have eight-bit forms. */
export interface DrawRanges {
  readonly stages: readonly [number, number];
  readonly devices: readonly [number, number];
  readonly levels: readonly [number, number];
  readonly tightness: readonly [number, number];
  /** Share of requests whose stages and tensors may be in eight bits. None when left out. */
  readonly precisions?: number | undefined;
}

/** The distribution that the shipped policy is trained on. */
export const TRAINING_RANGES: DrawRanges = {
  stages: [5, 20],
  devices: [2, 12],
  levels: [2, 8],
  tightness: [0.3, 0.8],
  precisions: 1 / 3,
};

/** Options of the instance of a number; the same number always gives the same ones. */
export function drawOptions(seed: number, ranges: DrawRanges = TRAINING_RANGES): RandomInstanceOptions {
  const random = new Random(seed * 2654435761 + 97);
  const between = ([low, high]: readonly [number, number]) => low + random.integer(high - low + 1);
  const pick = <T>(values: readonly T[]): T => values[random.integer(values.length)] as T;
  const chance = (share: number): boolean => random.uniform() < share;
  const [loose, tight] = ranges.tightness;
  return {
    stages: between(ranges.stages),
    devices: between(ranges.devices),
    levels: between(ranges.levels),
    seed,
    tightness: loose + (tight - loose) * random.uniform(),
    trusted: 0.3 + 0.7 * random.uniform(),
    privacy: pick(['shares', 'strict', 'open'] as const),
    mixedSplits: chance(0.5),
    sharedChannel: chance(0.3),
    inner: chance(0.15) ? 2 : 1,
    trunks: pick([false, false, true, 'all'] as const),
    activations: chance(0.5),
    measured: chance(0.4),
    waits: chance(0.5),
    missingLinks: chance(0.25),
    precisions: chance(ranges.precisions ?? 0),
  };
}

/**
 * The instance of a number. Two in three are stretched: links, deadline, losses and weights away from the generator's
 * proportions, batteries without a limit, so that what is learned holds where they are others.
 */
export function drawInstance(seed: number, ranges: DrawRanges = TRAINING_RANGES): PlanningInstance {
  const instance = randomInstance(drawOptions(seed, ranges));
  const random = new Random(seed * 40503 + 11);
  return random.uniform() < 1 / 3 ? instance : stretched(instance, random);
}

function stretched(instance: PlanningInstance, random: Random): PlanningInstance {
  const scale = (low: number, high: number): number =>
    Math.exp(Math.log(low) + random.uniform() * Math.log(high / low));
  const chance = (share: number): boolean => random.uniform() < share;
  const [faster, later] = [scale(0.05, 5), scale(0.3, 2)];
  const lossy = scale(0.02, 2);
  // Where everything takes longer, the deadline has to give.
  const deadline = instance.deadline * scale(0.7, 3);
  const unlimited = chance(0.5) ? random.uniform() : 0;
  const { time, energy, accuracy } = instance.weights;
  const budget = Math.log(instance.unprunedAccuracy / instance.accuracyFloor);
  const work = scale(0.1, 1);
  return {
    ...instance,
    stages: instance.stages.map((stage) => ({ ...stage, loss: stage.loss.map((loss) => loss * lossy) })),
    devices: instance.devices.map((device) =>
      chance(unlimited) ? { ...device, energy: Number.POSITIVE_INFINITY } : device,
    ),
    bandwidth: instance.bandwidth.map((row) => row.map((speed) => speed * faster)),
    latency: instance.latency.map((row) => row.map((seconds) => seconds * later)),
    deadline,
    accuracyFloor: instance.unprunedAccuracy * Math.exp(-budget * lossy * scale(0.5, 3)),
    lossUnit: instance.lossUnit * lossy,
    weights: { time: time * work, energy: energy * scale(0.1, 2), accuracy: accuracy * scale(0.3, 3) },
  };
}
