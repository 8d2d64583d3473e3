// The planning problem in numbers: a bundle, a fleet and a request as planners see them.
// Symbols are those of docs/formulation.md.
import type { StageSplit } from '../../bundle/internal.ts';

/** Devices of one set, at most. Sets have 1, 2 or 4. */
export const MAX_SET_SIZE = 4;

/**
 * One stage. Between stages l-1 and l stands cut l-1, whose tensor carries one level; cut 0 is the input of the
 * network. A choice is (level in, inner choice, level out), flattened as `(in * inner + q) * levelsOut + out`.
 *
 * Where a bundle has eight-bit forms, the levels of a cut are pairs of a level of channels and a wire, and inner choices
 * are pairs of an inner choice and a precision; `precision.ts` tells them apart.
 */
export interface StageInstance {
  readonly name: string;
  /** True for the input as a stage of its own (`input-stage.ts`), which computes nothing and waits for nothing. */
  readonly isInput?: boolean | undefined;
  /** Number of levels of the tensor that comes in, of choices of levels for groups inside, and of the one going out. */
  readonly levelsIn: number;
  readonly inner: number;
  readonly levelsOut: number;
  /** What the tensors before and behind it may travel as: 1 (float32) or 2 (uint8 too). Absent: 1. */
  readonly wires?: { readonly in: 1 | 2; readonly out: 1 | 2 } | undefined;
  /** What it may compute in: 1 (float32) or 2 (int8 too). Absent: 1. */
  readonly precisions?: 1 | 2 | undefined;
  /** By choice: 1 where it is allowed. A residual trunk forbids a change of level. */
  readonly allowed: Uint8Array;
  /** By choice: 1 where one device alone may make it. Absent: none. */
  readonly alone?: Uint8Array | undefined;
  /**
   * By choice: multiply-accumulates, bytes of weights, largest bytes of activations held at once; for one sample.
   * Eight-bit multiply-accumulates count as the float32 ones that take as long.
   */
  readonly macs: Float64Array;
  readonly weightBytes: Float64Array;
  readonly activationBytes: Float64Array;
  /** By choice: log loss of accuracy, nats, not negative; a group is charged where it is first decided. */
  readonly loss: Float64Array;
  /** By level out: bytes of the tensor going out, for one sample. */
  readonly outputBytes: Float64Array;
  readonly split: StageSplit;
  /** Largest share of this stage's output that an untrusted device may see; 1 for no limit. */
  readonly maxSeen: number;
  /** Candidate device sets: ascending device indices, each of 1, 2 or 4. Without a split only singles. */
  readonly sets: readonly (readonly number[])[];
}

/** One device. */
export interface DeviceInstance {
  readonly name: string;
  /** Multiply-accumulates a second; used where `seconds` has none. */
  readonly speed: number;
  /** Measured seconds for one sample, by stage and choice; undefined or an undefined entry where not measured. */
  readonly seconds?: readonly (Float64Array | undefined)[] | undefined;
  /** Free bytes for weights and activations. */
  readonly memory: number;
  /** Joules that it may spend on this request. */
  readonly energy: number;
  /** Joules a multiply-accumulate, joules a byte sent and received. */
  readonly joulesPerMac: number;
  readonly joulesPerByteSent: number;
  readonly joulesPerByteReceived: number;
  readonly trusted: boolean;
  /** Seconds until the device is free. */
  readonly wait: number;
}

/** The planning problem of one request. */
export interface PlanningInstance {
  readonly stages: readonly StageInstance[];
  readonly devices: readonly DeviceInstance[];
  /** `[from][to]`: bytes a second (Infinity on the diagonal, 0 for no link) and seconds of latency. */
  readonly bandwidth: readonly Float64Array[];
  readonly latency: readonly Float64Array[];
  /** True where all links share one radio channel: transfers of one hop then add up instead of running side by side. */
  readonly sharedChannel: boolean;
  /** Index of the device that has the input and wants the result; the first stage runs on it alone. */
  readonly source: number;
  /** Seconds. */
  readonly deadline: number;
  /** Bytes of the network's input for one sample. */
  readonly inputBytes: number;
  readonly unprunedAccuracy: number;
  readonly accuracyFloor: number;
  /** Objective: `time * seconds + energy * joules + accuracy * (1 - accuracy reached)`. */
  readonly weights: { readonly time: number; readonly energy: number; readonly accuracy: number };
  /** Step of the accuracy grid, nats: losses are rounded up to multiples of it. */
  readonly lossUnit: number;
}

/** A planner's decision for one stage. */
export interface StageDecision {
  /** Index into the stage's `sets`, its inner choice, and its level out. */
  readonly set: number;
  readonly inner: number;
  readonly level: number;
}

/** How much a planner has proven. */
export type PlanStatus = 'optimal' | 'gap' | 'infeasible' | 'unknown';

/** A planner's answer. */
export interface Solution {
  readonly status: PlanStatus;
  /** Absent for `infeasible` and `unknown`. */
  readonly decisions?: readonly StageDecision[] | undefined;
  /** Of `decisions`; Infinity without. */
  readonly objective: number;
  /** Proven: no plan is better. */
  readonly bound: number;
}
