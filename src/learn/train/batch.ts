// Batches of training: requests of one size class side by side, padded to one shape.
import { sizeOf } from '../../onnx/internal.ts';
import { FEATURES } from '../policy/feature-names.ts';
import type { Features } from '../policy/features.ts';
import type { INPUT_NAMES } from '../policy/network.ts';

/** Sizes that a batch is padded to. */
export interface BatchShape {
  readonly batch: number;
  readonly stages: number;
  readonly devices: number;
  readonly sets: number;
  readonly levels: number;
}

/** The features of one request at its own size, kept. */
export interface Sample {
  readonly stages: number;
  readonly devices: number;
  readonly sets: number;
  readonly levels: number;
  readonly unit: number;
  readonly request: Float32Array;
  readonly stage: Float32Array;
  readonly device: Float32Array;
  readonly pair: Float32Array;
  readonly link: Float32Array;
  readonly set: Float32Array;
  readonly members: Float32Array;
  readonly level: Float32Array;
  readonly setLegal: Uint8Array;
  readonly levelLegal: Uint8Array;
}

/** A copy of the features that are loaded. */
export function sampleOf(f: Features): Sample {
  const { stages: L, devices: D, sets: S, levels: P, unit } = f;
  return {
    ...{ stages: L, devices: D, sets: S, levels: P, unit },
    request: f.request.slice(),
    stage: f.stage.slice(0, L * FEATURES.stage),
    device: f.device.slice(0, D * FEATURES.device),
    pair: f.pair.slice(0, L * D * FEATURES.pair),
    link: f.link.slice(0, D * D * FEATURES.link),
    set: f.set.slice(0, L * S * FEATURES.set),
    members: f.members.slice(0, L * S * D),
    level: f.level.slice(0, L * P * FEATURES.level),
    setLegal: f.setLegal.slice(0, L * S),
    levelLegal: f.levelLegal.slice(0, L * P),
  };
}

/** An array with its shape. */
export interface Dense {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Network inputs and masks of a batch. */
export type Batch = Readonly<
  Record<(typeof INPUT_NAMES)[number] | 'setMask' | 'levelMask' | (typeof PADDING)[number], Dense>
>;

export const PADDING = ['present', 'absent', 'perStage', 'perDevice'] as const;

/** Zeros of a shape. */
export function emptyDense(dims: readonly number[]): Dense {
  return { dims, data: new Float32Array(sizeOf(dims)) };
}

/** Lays samples side by side; rows beyond them stay empty. */
export function batchOf(samples: readonly Sample[], shape: BatchShape): Batch {
  const { batch: B, stages: L, devices: D, sets: S, levels: P } = shape;
  const out = {
    request: emptyDense([B, 1, 1, FEATURES.request]),
    stage: emptyDense([B, L, 1, FEATURES.stage]),
    device: emptyDense([B, 1, D, FEATURES.device]),
    pair: emptyDense([B, L, D, FEATURES.pair]),
    link: emptyDense([B, D, D, FEATURES.link]),
    set: emptyDense([B, L, S, FEATURES.set]),
    members: emptyDense([B, L, S, D]),
    level: emptyDense([B, L, P, FEATURES.level]),
    present: emptyDense([B, L, D, 1]),
    absent: emptyDense([B, 1, 1, D]),
    perStage: emptyDense([B, 1, 1, 1]),
    perDevice: emptyDense([B, 1, 1, 1]),
    setMask: emptyDense([B, L, S]),
    levelMask: emptyDense([B, L, P]),
  };
  out.absent.data.fill(-30);
  out.perStage.data.fill(1);
  out.perDevice.data.fill(1);
  samples.forEach((s, b) => {
    out.request.data.set(s.request, b * FEATURES.request);
    out.stage.data.set(s.stage, b * L * FEATURES.stage);
    out.device.data.set(s.device, b * D * FEATURES.device);
    const rows = (
      to: Float32Array,
      from: Float32Array,
      outer: number,
      inner: number,
      width: number,
      base: number,
    ) => {
      const n = from.length / outer;
      for (let i = 0; i < outer; i++) to.set(from.subarray(i * n, (i + 1) * n), base + i * inner * width);
    };
    rows(out.pair.data, s.pair, s.stages, D, FEATURES.pair, b * L * D * FEATURES.pair);
    rows(out.link.data, s.link, s.devices, D, FEATURES.link, b * D * D * FEATURES.link);
    rows(out.set.data, s.set, s.stages, S, FEATURES.set, b * L * S * FEATURES.set);
    rows(out.level.data, s.level, s.stages, P, FEATURES.level, b * L * P * FEATURES.level);
    for (let l = 0; l < s.stages; l++) {
      for (let k = 0; k < s.sets; k++) {
        const from = (l * s.sets + k) * s.devices;
        out.members.data.set(s.members.subarray(from, from + s.devices), ((b * L + l) * S + k) * D);
        out.setMask.data[(b * L + l) * S + k] = s.setLegal[l * s.sets + k] as number;
      }
      for (let p = 0; p < s.levels; p++)
        out.levelMask.data[(b * L + l) * P + p] = s.levelLegal[l * s.levels + p] as number;
      out.present.data.fill(1, (b * L + l) * D, (b * L + l) * D + s.devices);
    }
    out.absent.data.fill(0, b * D, b * D + s.devices);
    out.perStage.data[b] = 1 / s.stages;
    out.perDevice.data[b] = 1 / s.devices;
  });
  return out;
}
