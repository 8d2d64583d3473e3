// Random planning instances with the proportions of a hospital room: a network whose MACs, weights and tensors change
// with depth, tablets and boxes of unequal speed, links of 8 to 100 MB/s. For benchmarks, tests and learning.

import type { StageSplit } from '../../bundle/internal.ts';
import { Random } from '../../util/internal.ts';
import { choiceIndex, levelInOf, levelOutOf } from '../problem/choice.ts';
import { candidateSets } from '../problem/device-sets.ts';
import {
  type DeviceInstance,
  MAX_SET_SIZE,
  type PlanningInstance,
  type StageInstance,
} from '../problem/instance.ts';
import { randomPrecisions } from './random-precisions.ts';

/** What to draw. Everything but the sizes is off by default: the plain instance has sums of products only. */
export interface RandomInstanceOptions {
  readonly stages: number;
  readonly devices: number;
  /** Levels of every cut but the first and the last, evenly from all channels to a fifth of them. */
  readonly levels: number;
  readonly seed: number;
  /** 0.5: limits of devices bind a little; 0.8: several bind; above 1: often no plan. */
  readonly tightness?: number;
  /** Sets of two and of four devices for each stage; 12 and 8 by default. */
  readonly pairs?: number;
  readonly quads?: number;
  /** Step of the accuracy grid; 5e-4 nats by default. */
  readonly lossUnit?: number;
  /** How much accuracy may be lost, nats; drawn from 0.04 to 0.1 by default. */
  readonly loss?: number;
  /** Share of devices, beside the source, that are trusted; 0.6 by default. */
  readonly trusted?: number;
  /** `shares`: early stages by quarters and halves only; `strict`: untrusted devices from some depth on; `open`. */
  readonly privacy?: 'shares' | 'strict' | 'open';
  /** Splits of stages: all by outputs by default, else drawn among the three kinds. */
  readonly mixedSplits?: boolean;
  readonly sharedChannel?: boolean;
  /** Choices inside each stage; 1 by default. */
  readonly inner?: number;
  /**
   * Trunks: runs of cuts that keep one level; `all`: one level through the whole network, as certified variants have.
   */
  readonly trunks?: boolean | 'all';
  /** Activations in memory. */
  readonly activations?: boolean;
  /** Some devices have measured seconds by stage and choice, in steps as hardware shows. */
  readonly measured?: boolean;
  /** Devices that are busy at first. */
  readonly waits?: boolean;
  /** Some links are missing. */
  readonly missingLinks?: boolean;
  /** Eight-bit forms of most stages, and of what travels between them; some devices have no integer kernels. */
  readonly precisions?: boolean;
}

/** One instance; the same options always give the same one. */
export function randomInstance(options: RandomInstanceOptions): PlanningInstance {
  const instance = float32Instance(options);
  return options.precisions ? randomPrecisions(instance, options.seed) : instance;
}

function float32Instance(options: RandomInstanceOptions): PlanningInstance {
  const { stages: L, devices: D, levels: P, seed, tightness = 0.5 } = options;
  const random = new Random(seed * 7919 + L * 131 + D * 17 + P);
  const draw = new Draw(random);
  const network = drawNetwork(draw, options);
  const devices = drawDevices(draw, options, network);
  const { bandwidth, latency } = drawLinks(draw, options);
  const macs = network.reduce((sum, stage) => sum + stage.macs, 0);
  const [first] = devices;
  const localSeconds = macs / (first?.speed ?? 1);
  const localJoules = macs * (first?.joulesPerMac ?? 1);
  const loss = options.loss ?? draw.uniform(0.04, 0.1);
  const deadline = (localSeconds * draw.uniform(0.65, 1)) / Math.sqrt(tightness);
  const unprunedAccuracy = 0.76;
  const maxSeen = network.map((_, l) => seenShare(options, l));
  return {
    stages: network.map((_, l) => {
      const { sets, ...table } = stageTable(draw, options, network, l);
      return {
        ...table,
        maxSeen: maxSeen[l] ?? 1,
        sets: sets ?? stageSets(options, network, l, { devices, bandwidth, maxSeen }),
      };
    }),
    devices: options.measured ? measured(draw, devices, network, P, options) : devices,
    bandwidth,
    latency,
    sharedChannel: options.sharedChannel ?? false,
    source: 0,
    deadline,
    inputBytes: 600_000,
    unprunedAccuracy,
    accuracyFloor: unprunedAccuracy * Math.exp(-loss),
    weights: { time: 1 / localSeconds, energy: 0.25 / localJoules, accuracy: 3 },
    lossUnit: options.lossUnit ?? 5e-4,
  };
}

/** Draws from the ranges that the generator uses. */
class Draw {
  readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  uniform(low: number, high: number): number {
    return low + (high - low) * this.random.uniform();
  }

  /** Uniform in the logarithm. */
  scale(low: number, high: number): number {
    return Math.exp(this.uniform(Math.log(low), Math.log(high)));
  }

  chance(share: number): boolean {
    return this.random.uniform() < share;
  }
}

interface RandomStage {
  readonly macs: number;
  readonly weightBytes: number;
  readonly outputBytes: number;
  readonly activationBytes: number;
  readonly split: StageSplit;
  /** Whether the cut behind it must keep the level of the cut before it. */
  readonly keeps: boolean;
  /** Loss at the lowest level, and how it bends. */
  readonly loss: number;
  readonly bend: number;
}

function drawNetwork(draw: Draw, options: RandomInstanceOptions): RandomStage[] {
  const { stages: L } = options;
  let run = 0;
  return Array.from({ length: L }, (_, l) => {
    const depth = l / Math.max(1, L - 1);
    const outputBytes = l === L - 1 ? 4000 : draw.scale(0.7, 1.4) * 1.2e6 * Math.exp(-3.2 * depth);
    const inside = l > 0 && l < L - 1;
    const keeps =
      inside && (options.trunks === 'all' || (options.trunks === true && run < 3 && draw.chance(0.5)));
    run = keeps ? run + 1 : 0;
    const splits: readonly StageSplit[] = ['outputs', 'partial-sums', 'none'];
    return {
      macs: draw.scale(2e7, 3e8),
      weightBytes: draw.scale(3e4, 2e5) * Math.exp(3 * depth),
      outputBytes,
      activationBytes: options.activations ? outputBytes * draw.uniform(1.5, 4) : 0,
      split: options.mixedSplits ? (splits[draw.random.integer(3)] ?? 'none') : 'outputs',
      keeps,
      loss: draw.scale(0.01, 0.2) * Math.sqrt(16 / L),
      bend: draw.uniform(1.5, 3),
    };
  });
}

function drawDevices(
  draw: Draw,
  options: RandomInstanceOptions,
  network: readonly RandomStage[],
): DeviceInstance[] {
  const { devices: D, tightness = 0.5, trusted = 0.6 } = options;
  const macs = network.reduce((sum, stage) => sum + stage.macs, 0);
  const weightBytes = network.reduce((sum, stage) => sum + stage.weightBytes, 0);
  const activations = network.reduce((most, stage) => Math.max(most, stage.activationBytes), 0);
  const drawn = Array.from({ length: D }, (_, d) => ({
    name: d === 0 ? 'source' : `device-${d}`,
    speed: d === 0 ? draw.scale(2e9, 4e9) : draw.scale(2e9, 2e10),
    joulesPerMac: draw.scale(0.1e-9, 0.6e-9),
    joulesPerByteSent: draw.scale(3e-8, 1.2e-7),
    joulesPerByteReceived: draw.scale(2e-8, 8e-8),
    trusted: d === 0 || draw.chance(trusted),
  }));
  const localJoules = macs * (drawn[0]?.joulesPerMac ?? 1);
  return drawn.map((device) => ({
    ...device,
    memory: (weightBytes * draw.uniform(0.5, 1.5) * Math.max(0.25, 1.8 / D)) / tightness + activations,
    energy: (localJoules * draw.uniform(0.5, 1.5) * Math.max(0.2, 1.5 / D)) / tightness,
    wait: options.waits && draw.chance(0.4) ? draw.scale(1e-4, 1e-2) : 0,
  }));
}

function drawLinks(draw: Draw, options: RandomInstanceOptions) {
  const { devices: D } = options;
  const bandwidth = Array.from({ length: D }, () => new Float64Array(D).fill(Number.POSITIVE_INFINITY));
  const latency = Array.from({ length: D }, () => new Float64Array(D));
  for (let d = 0; d < D; d++) {
    for (let e = 0; e < d; e++) {
      const both = draw.scale(8e6, 1e8);
      const delay = draw.uniform(0.0005, 0.004);
      const missing = options.missingLinks && e > 0 && draw.chance(0.25);
      for (const [from, to] of [
        [d, e],
        [e, d],
      ] as const) {
        const speed = missing ? 0 : both * draw.uniform(0.8, 1.2);
        (bandwidth[from] as Float64Array)[to] = speed;
        (latency[from] as Float64Array)[to] = delay;
      }
    }
  }
  return { bandwidth, latency };
}

function seenShare({ stages: L, privacy = 'shares' }: RandomInstanceOptions, l: number): number {
  const depth = l / Math.max(1, L - 1);
  if (privacy === 'open') return 1;
  if (privacy === 'strict') return depth < 0.3 ? 0 : 1;
  // An untrusted device that runs a stage has seen all of the stage before.
  return l === 0 || depth >= 0.25 ? 1 : 0.25;
}

/** Shares of channels that the levels keep. */
function kept(levels: number, level: number): number {
  return levels === 1 ? 1 : 1 - (level * 0.8) / (levels - 1);
}

function stageTable(
  draw: Draw,
  options: RandomInstanceOptions,
  network: readonly RandomStage[],
  l: number,
): Omit<StageInstance, 'maxSeen' | 'sets'> & { sets?: StageInstance['sets'] } {
  const { stages: L, levels: P, inner = 1 } = options;
  const stage = network[l] as RandomStage;
  const sizes = { levelsIn: l === 0 ? 1 : P, inner, levelsOut: l === L - 1 ? 1 : P };
  const length = sizes.levelsIn * inner * sizes.levelsOut;
  const allowed = new Uint8Array(length);
  const [macs, weightBytes] = [new Float64Array(length), new Float64Array(length)];
  const [activationBytes, loss] = [new Float64Array(length), new Float64Array(length)];
  const innerLoss = inner > 1 ? draw.scale(0.003, 0.05) * Math.sqrt(16 / L) : 0;
  const q = (level: number) => kept(P, level);
  for (let p = 0; p < sizes.levelsIn; p++) {
    for (let i = 0; i < inner; i++) {
      for (let r = 0; r < sizes.levelsOut; r++) {
        const c = choiceIndex(sizes, p, i, r);
        const within = inner === 1 ? 1 : 1 - (i * 0.7) / (inner - 1);
        allowed[c] = stage.keeps && p !== r ? 0 : 1;
        macs[c] = stage.macs * q(p) * q(r) * within;
        weightBytes[c] = stage.weightBytes * q(p) * q(r) * within;
        activationBytes[c] = stage.activationBytes * Math.max(q(p), q(r) * within);
        const cut = stage.keeps ? 0 : stage.loss * ((1 - q(r)) / 0.8) ** stage.bend;
        loss[c] = (l === L - 1 ? 0 : cut) + innerLoss * (1 - within) ** 2;
      }
    }
  }
  return {
    name: `stage-${l}`,
    ...sizes,
    allowed,
    macs,
    weightBytes,
    activationBytes,
    loss,
    outputBytes: Float64Array.from({ length: sizes.levelsOut }, (_, r) => stage.outputBytes * q(r)),
    split: stage.split,
  };
}

/** What candidate sets depend on beside the network. */
interface RandomFleet {
  readonly devices: readonly DeviceInstance[];
  readonly bandwidth: readonly Float64Array[];
  readonly maxSeen: readonly number[];
}

function stageSets(
  options: RandomInstanceOptions,
  network: readonly RandomStage[],
  l: number,
  { devices, bandwidth, maxSeen }: RandomFleet,
): number[][] {
  if (l === 0) return [[0]];
  const stage = network[l] as RandomStage;
  const { split } = stage;
  return candidateSets({
    devices: devices.map(({ trusted, speed }) => ({ trusted, seconds: stage.macs / speed })),
    bandwidth: bandwidth.map((row) => [...row]),
    source: 0,
    inputBytes: network[l - 1]?.outputBytes ?? 0,
    legal: (d, size) =>
      devices[d]?.trusted === true ||
      ((maxSeen[l - 1] ?? 1) >= 1 && (split === 'partial-sums' ? 1 : 1 / size) <= (maxSeen[l] ?? 1)),
    most: split === 'none' ? 1 : MAX_SET_SIZE,
    pairs: options.pairs ?? 12,
    quads: options.quads ?? 8,
  });
}

/** Half of the devices with seconds as measured: a staircase in the MACs, never faster than it should be. */
function measured(
  draw: Draw,
  devices: readonly DeviceInstance[],
  network: readonly RandomStage[],
  P: number,
  { inner = 1 }: RandomInstanceOptions,
): DeviceInstance[] {
  const L = network.length;
  return devices.map((device) => {
    if (!draw.chance(0.5)) return device;
    const seconds = network.map((stage, l) => {
      if (draw.chance(0.2)) return undefined;
      const sizes = { inner, levelsOut: l === L - 1 ? 1 : P };
      const steps = 3 + draw.random.integer(5);
      const times = new Float64Array((l === 0 ? 1 : P) * inner * sizes.levelsOut);
      for (let c = 0; c < times.length; c++) {
        const into = l === 0 ? 1 : kept(P, levelInOf(sizes, c));
        const share = into * (l === L - 1 ? 1 : kept(P, levelOutOf(sizes, c)));
        times[c] = ((stage.macs / device.speed) * Math.ceil(share * steps)) / steps;
      }
      return times;
    });
    return { ...device, seconds };
  });
}
